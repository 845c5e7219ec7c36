"""ResNet-50-B with random weights, not trained: the control of resnet50b_standard. Not a row of the paper."""

_base_ = "../baseline.py"

model = dict(backbone=dict(tweak="b"))
max_epochs = 0
