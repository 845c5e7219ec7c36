"""The teacher with mixup (sec. 5.5: "we train the teacher model with mixup as well"); 80.61 % top-1 in the zoo."""

_base_ = "resnet50d_mixup.py"

model = dict(backbone=dict(depth=152))
