"""ResNet-50 with random weights, not trained: the control of resnet50_baseline. Not a row of the paper."""

_base_ = "../baseline.py"

max_epochs = 0
