"""`faster_rcnn_fpn_voc` on a frozen backbone: for networks that cannot be cut after stage 3, as C4 detectors need it.

Stages 1 to 4 keep their weights and batch norms; the neck, RPN and the RoI head's dense layers train.
"""

_base_ = "faster_rcnn_fpn_voc.py"

model = dict(backbone=dict(frozen_stages=4, norm_eval=True))
