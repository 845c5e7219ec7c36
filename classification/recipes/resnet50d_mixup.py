"""+ mixup without distillation: 79.15 % top-1 (79.16 in Tables 8, 9), 81.10 mAP, 37.99 mIoU (Tables 6, 8, 9)."""

_base_ = "resnet50d_efficient.py"

max_epochs = 200  # sec. 5.5: "increase the number of epochs from 120 to 200"
tricks = dict(schedule=dict(decay="cosine"), label_smoothing=dict(eps=0.1), mixup=dict(alpha=0.2))
