"""`faster_rcnn_voc` for small photographs and an evening: one training set, low precision, batches of 16.

Everything else is the paper's; sizes and lengths are the tier's. The batch is one that keeps a GPU busy at 176 px.
"""

_base_ = "faster_rcnn_voc.py"

_voc07, _ = _base_.train_dataloader.dataset.dataset.datasets  # type: ignore[attr-defined]  # mmengine reads it

train_dataloader = dict(batch_size=16, dataset=dict(dataset=dict(datasets=[_voc07])))
optim_wrapper = dict(type="trick_transfer.LowPrecisionOptimWrapper", optimizer=dict(lr=0.04))
# a tenth of the paper's warm-up, in images
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 3, by_epoch=False, begin=0, end=50),
    dict(type="MultiStepLR", by_epoch=True, milestones=[14], gamma=0.1),
]
