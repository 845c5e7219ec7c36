"""+ label smoothing: 78.31 % top-1 (78.34 in Tables 8, 9), 80.71 mAP, 38.75 mIoU in the paper (Tables 6, 8, 9)."""

_base_ = "resnet50d_efficient.py"

tricks = dict(schedule=dict(decay="cosine"), label_smoothing=dict(eps=0.1))
