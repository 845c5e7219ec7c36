"""MobileNet with the whole bag: 72.51 % top-1, 91.02 % top-5 in the paper (Table 6), below mixup alone."""

_base_ = "mobilenet_efficient.py"

max_epochs = 200  # sec. 5.5: "increase the number of epochs from 120 to 200"
tricks = dict(
    schedule=dict(decay="cosine"),
    label_smoothing=dict(eps=0.1),
    distillation=dict(teacher="resnet152d_mixup", temperature=20),
    mixup=dict(alpha=0.2),
)
