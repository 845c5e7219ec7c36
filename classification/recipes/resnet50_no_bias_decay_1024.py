"""+ no bias decay at batch 1024: 76.03 % top-1, 92.86 % top-5 in the paper (Table 4).

+ FP16, the last row, is `resnet50_efficient`.
"""

_base_ = "resnet50_zero_gamma_1024.py"

tricks = dict(large_batch=dict(batch=1024), no_bias_decay=dict())
