"""+ zero gamma at batch 1024: 76.37 % top-1, 92.96 % top-5 in the paper (Table 4)."""

_base_ = "resnet50_warmup_1024.py"

tricks = dict(large_batch=dict(batch=1024), zero_gamma=dict())
