"""ResNet-50-B, efficient: 76.66 % top-1, 93.28 % top-5 in the paper (Table 5)."""

_base_ = "resnet50_efficient.py"

model = dict(backbone=dict(tweak="b"))
