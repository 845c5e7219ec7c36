"""ResNet-50 with sec. 3's efficient training: 76.21 % top-1, 92.97 % top-5 in the paper (Tables 3, 4, 5)."""

_base_ = "../baseline.py"

tricks = dict(
    large_batch=dict(),
    amp=dict(),
    zero_gamma=dict(),
    no_bias_decay=dict(),
    schedule=dict(warmup_epochs=5, decay="step"),
)
