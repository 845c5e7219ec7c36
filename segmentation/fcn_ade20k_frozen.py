"""`fcn_ade20k` on a frozen backbone: how good are its features as they are?

All stages keep their weights and batch norms; both heads train, by the rates and the schedule of `fcn_ade20k`.
"""

_base_ = "fcn_ade20k.py"

model = dict(backbone=dict(frozen_stages=4, norm_eval=True))
