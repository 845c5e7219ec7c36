"""`fcn_ade20k` from scratch: the card's architecture and initialisation, without its weights, six times as long.

As He, Girshick and Dollar train detectors ("Rethinking ImageNet Pre-training", 2019): all values stay those of
fine-tuning, where all layers and batch norms train already, and the longest schedule is 6 times the usual one.
"""

_base_ = "fcn_ade20k.py"

model = dict(backbone=dict(weights=None, sha256=None))

train_cfg = dict(max_epochs=720, val_begin=721)
param_scheduler = [
    dict(type="PolyLR", power=0.9, eta_min=0.0, begin=0, end=720, by_epoch=True, convert_to_iter_based=True)
]
