"""ResNeXt-50 (32x4d) under the baseline of sec. 2.1: Table 1 quotes 77.8 % top-1 at 4.2 GMACs from its own paper."""

_base_ = "../baseline.py"

model = dict(backbone="timm/resnext50_32x4d")
