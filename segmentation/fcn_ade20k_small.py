"""`fcn_ade20k` in low precision, for small photographs and an evening; sizes and lengths are the tier's."""

_base_ = "fcn_ade20k.py"

optim_wrapper = dict(type="trick_transfer.LowPrecisionOptimWrapper")
