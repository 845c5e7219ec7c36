"""+ no bias decay at batch 256: 76.16 % top-1, 92.97 % top-5 in the paper (Table 4)."""

_base_ = "resnet50_no_bias_decay_1024.py"

tricks = dict(large_batch=dict(batch=256))
