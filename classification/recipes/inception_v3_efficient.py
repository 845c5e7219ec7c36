"""Inception-V3, efficient: 77.50 % top-1, 93.60 % top-5 in the paper (Tables 3, 6).

Without zero gamma: it has no residual blocks.
"""

_base_ = "../baseline.py"

model = dict(backbone="timm/inception_v3")
train_dataloader = dict(dataset=dict(dataset=dict(crop=dict(size_px=299))))
val_dataloader = dict(dataset=dict(crop=dict(size_px=299, shorter_px=342)))
tricks = dict(
    large_batch=dict(),
    amp=dict(),
    no_bias_decay=dict(),
    schedule=dict(warmup_epochs=5, decay="step"),
)
