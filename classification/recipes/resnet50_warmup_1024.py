"""+ learning-rate warm-up at batch 1024: 75.93 % top-1, 92.84 % top-5 in the paper (Table 4)."""

_base_ = "../baseline.py"

tricks = dict(large_batch=dict(batch=1024), schedule=dict(warmup_epochs=5, decay="step"))
