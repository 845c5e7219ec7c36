"""Inception-V3 with the whole bag: 78.34 % top-1, 94.16 % top-5 in the paper (Table 6), below mixup alone.

The teacher, trained at 224 px, sees the student's images of 299 px: the same batch, as in its authors' code.
"""

_base_ = "inception_v3_efficient.py"

max_epochs = 200  # sec. 5.5: "increase the number of epochs from 120 to 200"
tricks = dict(
    schedule=dict(decay="cosine"),
    label_smoothing=dict(eps=0.1),
    distillation=dict(teacher="resnet152d_mixup", temperature=20),
    mixup=dict(alpha=0.2),
)
