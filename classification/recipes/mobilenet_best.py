"""MobileNet with the whole bag: 72.51 % top-1, 91.02 % top-5 in the paper (Table 6), below mixup alone."""

_base_ = "mobilenet_mixup.py"

tricks = dict(distillation=dict(teacher="resnet152d_mixup", temperature=20))
