"""DenseNet-201 under the baseline of sec. 2.1: Table 1 quotes 77.42 % top-1, 93.66 % top-5 at 4.3 GMACs."""

_base_ = "../baseline.py"

model = dict(backbone="timm/densenet201")
