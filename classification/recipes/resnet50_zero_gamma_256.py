"""+ zero gamma at batch 256: 76.19 % top-1, 93.03 % top-5 in the paper (Table 4)."""

_base_ = "resnet50_zero_gamma_1024.py"

tricks = dict(large_batch=dict(batch=256))
