"""The paper's data sets: where they come from, how they get into the layout our readers want, and whether all is there.

Only tools/data.py imports this package: nothing is downloaded in the middle of a run.
"""
