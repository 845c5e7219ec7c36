"""ResNet-50-D, efficient: 77.16 % top-1, 78.30 mAP, 38.88 mIoU in the paper (Tables 5, 6, 8, 9)."""

_base_ = "../baseline.py"

model = dict(backbone=dict(tweak="bcd"))
tricks = dict(
    large_batch=dict(),
    amp=dict(),
    zero_gamma=dict(),
    no_bias_decay=dict(),
    schedule=dict(warmup_epochs=5, decay="step"),
)
