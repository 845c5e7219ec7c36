"""ResNet-50-D with random weights and zero gamma, not trained: the control of all resnet50d recipes of the paper.

Not a row of the paper. Each block is its shortcut, and stays so in the detector, whose batch norms are frozen.
"""

_base_ = "../baseline.py"

model = dict(backbone=dict(tweak="bcd", zero_gamma=True))
max_epochs = 0
