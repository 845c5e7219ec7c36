"""ResNet-50-B under the baseline recipe: "B-standard", 76.14 % top-1, 77.54 mAP, 37.05 mIoU (Tables 8, 9, first row).

The paper does not say how it was trained; the baseline of sec. 2.1 is our reading (Table 5's B has 76.66 %).
"""

_base_ = "../baseline.py"

model = dict(backbone=dict(tweak="b"))
