"""+ cosine decay, label smoothing and mixup on Places365: 56.70 % top-1, 87.33 % top-5 in validation (Table 7).

Without distillation: Table 7's caption names the other three.
"""

_base_ = "resnet50d_efficient_places365.py"

max_epochs = 200  # sec. 5.5, as on ImageNet
tricks = dict(
    schedule=dict(decay="cosine"),
    label_smoothing=dict(eps=0.1),
    mixup=dict(alpha=0.2),
)
