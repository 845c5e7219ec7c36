"""+ learning-rate warm-up at batch 256: 76.03 % top-1, 92.81 % top-5 in the paper (Table 4)."""

_base_ = "resnet50_warmup_1024.py"

tricks = dict(large_batch=dict(batch=256))
