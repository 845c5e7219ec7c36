"""ResNet-50-D with random weights, not trained: a control, not a row of the paper.

Gamma starts at 1. The control of the recipes with zero gamma is resnet50d_random_zero_gamma.
"""

_base_ = "../baseline.py"

model = dict(backbone=dict(tweak="bcd"))
max_epochs = 0
