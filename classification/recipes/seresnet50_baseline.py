"""SE-ResNet-50 under the baseline of sec. 2.1: Table 1 quotes 76.71 % top-1, 93.38 % top-5 at 3.9 GMACs from SENet.

timm's "legacy" is SENet's own, whose strides are in the first 1x1 of a block; `timm/seresnet50` has them in the 3x3.
"""

_base_ = "../baseline.py"

model = dict(backbone="timm/legacy_seresnet50")
