"""ResNet-50-D from random weights, trained on nothing: what a downstream score is without pre-training.

Not a row of the paper. Gamma starts at 1, so that the frozen batch norms of the detector leave the blocks at work.
"""

_base_ = "../baseline.py"

model = dict(backbone=dict(depth=50, tweak="bcd"))
max_epochs = 0
