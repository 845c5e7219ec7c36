"""+ distillation without mixup: 78.26 % top-1, 94.01 % top-5 in the paper (Table 6), below label smoothing alone.

The teacher, trained at 224 px, sees the student's images of 299 px: the same batch, as in its authors' code.
"""

_base_ = "inception_v3_efficient.py"

tricks = dict(
    schedule=dict(decay="cosine"),
    label_smoothing=dict(eps=0.1),
    distillation=dict(teacher="resnet152d_smooth", temperature=20),
)
