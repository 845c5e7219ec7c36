"""+ FP16 at batch 256: 76.15 % top-1, 93.09 % top-5 in the paper (Table 4, last row)."""

_base_ = "resnet50_efficient.py"

tricks = dict(large_batch=dict(batch=256))
