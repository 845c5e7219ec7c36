"""+ distillation without mixup: 71.97 % top-1, 90.89 % top-5 in the paper (Table 6), below label smoothing alone."""

_base_ = "mobilenet_efficient.py"

tricks = dict(
    schedule=dict(decay="cosine"),
    label_smoothing=dict(eps=0.1),
    distillation=dict(teacher="resnet152d_smooth", temperature=20),
)
