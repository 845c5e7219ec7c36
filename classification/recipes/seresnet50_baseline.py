"""SE-ResNet-50 under the baseline of sec. 2.1: Table 1 quotes 76.71 % top-1, 93.38 % top-5 at 3.9 GMACs from SENet."""

_base_ = "../baseline.py"

model = dict(backbone="timm/seresnet50")
