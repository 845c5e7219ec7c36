"""+ mixup without distillation: 78.77 % top-1, 94.39 % top-5 in the paper (Table 6)."""

_base_ = "inception_v3_smooth.py"

max_epochs = 200  # sec. 5.5
tricks = dict(mixup=dict(alpha=0.2))
