"""ResNet-50-D, efficient: 77.16 % top-1, 78.30 mAP, 38.88 mIoU in the paper (Tables 5, 6, 8, 9)."""

_base_ = "resnet50_efficient.py"

model = dict(backbone=dict(tweak="bcd"))
