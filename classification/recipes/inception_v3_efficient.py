"""Inception-V3, efficient: 77.50 % top-1, 93.60 % top-5 in the paper (Tables 3, 6).

Without zero gamma: it has no residual blocks.
"""

_base_ = "inception_v3_baseline.py"

tricks = dict(
    large_batch=dict(),
    amp=dict(),
    no_bias_decay=dict(),
    schedule=dict(warmup_epochs=5, decay="step"),
)
