"""`faster_rcnn_voc` for small photographs: one training set, low precision, and a higher rate for fewer steps.

Everything else is the paper's; sizes and lengths are the tier's.
"""

_base_ = "faster_rcnn_voc.py"

_voc07, _ = _base_.train_dataloader.dataset.dataset.datasets  # type: ignore[attr-defined]  # mmengine reads it

train_dataloader = dict(dataset=dict(dataset=dict(datasets=[_voc07])))
# 20 times the paper's rate, as on mini, for a twentieth of its steps. ResNet-18-D after 6 epochs (top-1 19.9), then 3
# epochs on 2,212 of VOC2007 test's photographs, 813 others scored, 176 px, seed 0, bf16: mAP 9.67 (11-point)
optim_wrapper = dict(type="trick_transfer.LowPrecisionOptimWrapper", optimizer=dict(lr=0.02))
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 3, by_epoch=False, begin=0, end=50),
    dict(type="MultiStepLR", by_epoch=True, milestones=[14], gamma=0.1),
]
