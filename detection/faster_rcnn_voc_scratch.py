"""`faster_rcnn_voc` from scratch: the card's architecture and initialisation, without its weights, six times as long.

H is He, Girshick and Dollar, "Rethinking ImageNet Pre-training", 2019. As there, all other values stay those of
fine-tuning. A departure: H normalises RPN and box heads, too; C4's box head is stage 4, and has its batch norms.
"""

_base_ = "faster_rcnn_voc.py"

# nothing is frozen, batch norms train (H, sec. 3: frozen ones are of no use here, theirs are GN or SyncBN)
_scratch = dict(weights=None, sha256=None, frozen_stages=-1, norm_eval=False)
sync_bn = "torch"  # H; over the whole batch of 4

model = dict(backbone=_scratch, roi_head=dict(shared_head=dict(backbone=_scratch)))

train_cfg = dict(max_epochs=120, val_begin=121)  # H: its longest schedule is 6 times the usual one
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 3, by_epoch=False, begin=0, end=2000),
    # H, sec. 3: only the first, high rate lasts longer; the last 6 epochs are those of `faster_rcnn_voc`
    dict(type="MultiStepLR", by_epoch=True, milestones=[114], gamma=0.1),
]
