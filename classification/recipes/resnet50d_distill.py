"""+ distillation without mixup: 78.67 % top-1, 80.96 mAP, 38.90 mIoU in the paper (Tables 6, 8, 9)."""

_base_ = "resnet50d_efficient.py"

tricks = dict(
    schedule=dict(decay="cosine"),
    label_smoothing=dict(eps=0.1),
    distillation=dict(teacher="resnet152d_smooth", temperature=20),
)
