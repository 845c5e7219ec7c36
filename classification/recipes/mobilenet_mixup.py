"""+ mixup without distillation: 73.28 % top-1, 91.30 % top-5 in the paper (Table 6)."""

_base_ = "mobilenet_smooth.py"

max_epochs = 200  # sec. 5.5
tricks = dict(mixup=dict(alpha=0.2))
