"""+ no bias decay at batch 1024: 76.03 % top-1, 92.86 % top-5 in the paper (Table 4).

+ FP16, the last row, is `resnet50_efficient`.
"""

_base_ = "../baseline.py"

tricks = dict(
    large_batch=dict(batch=1024),
    zero_gamma=dict(),
    no_bias_decay=dict(),
    schedule=dict(warmup_epochs=5, decay="step"),
)
