"""`brightness` with its rate and its length chosen on held-out images."""

_base_ = "brightness.py"

sweep = dict(share=0.25, rates=(0.01, 1.0), lengths=(0.5, 1.0), rate=None, length=None)
