"""ResNet-50-C, efficient: 76.87 % top-1, 93.48 % top-5 in the paper (Table 5)."""

_base_ = "resnet50_efficient.py"

model = dict(backbone=dict(tweak="bc"))
