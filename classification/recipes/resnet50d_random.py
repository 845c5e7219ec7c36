"""ResNet-50-D with random weights, not trained: gives the downstream score without pre-training.

Not a row of the paper. Gamma starts at 1, so that the detector's frozen batch norms do not switch the blocks off.
"""

_base_ = "../baseline.py"

model = dict(backbone=dict(depth=50, tweak="bcd"))
max_epochs = 0
