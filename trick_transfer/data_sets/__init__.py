"""The paper's data sets: their sources, how they get into the layout that our readers take, and checks of every file.

Only tools/data.py imports its `download`: nothing is downloaded in the middle of a run.
"""
