"""Batch 1024, the rate scaled linearly, no other trick: 75.17 % top-1, 92.54 % top-5 in the paper (Table 4, first row).

At batch 256 linear scaling changes nothing: that column's first row is `resnet50_baseline`.
"""

_base_ = "../baseline.py"

tricks = dict(large_batch=dict(batch=1024))
