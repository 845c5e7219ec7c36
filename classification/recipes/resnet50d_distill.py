"""+ distillation without mixup: 78.67 % top-1, 80.96 mAP, 38.90 mIoU in the paper (Tables 6, 8, 9)."""

_base_ = "resnet50d_smooth.py"

tricks = dict(distillation=dict(teacher="resnet152d_smooth", temperature=20))
