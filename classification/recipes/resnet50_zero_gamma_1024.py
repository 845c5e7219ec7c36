"""+ zero gamma at batch 1024: 76.37 % top-1, 92.96 % top-5 in the paper (Table 4)."""

_base_ = "../baseline.py"

tricks = dict(
    large_batch=dict(batch=1024),
    zero_gamma=dict(),
    schedule=dict(warmup_epochs=5, decay="step"),
)
