"""SE-ResNeXt-50 (32x4d) under the baseline of sec. 2.1: Table 1 quotes 78.90 % top-1, 94.51 % top-5 at 4.3 GMACs.

The quoted numbers are of SENet's own training.
"""

_base_ = "../baseline.py"

model = dict(backbone="timm/seresnext50_32x4d")
