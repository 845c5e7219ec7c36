"""+ cosine decay: 77.91 % top-1, 79.23 mAP, 39.33 mIoU in the paper (Tables 6, 8, 9)."""

_base_ = "resnet50d_efficient.py"

tricks = dict(schedule=dict(decay="cosine"))
