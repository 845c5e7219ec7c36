"""`faster_rcnn_voc` on a frozen backbone: how good are its features as they are?

Stages 1 to 4, the RoI head's included, keep their weights and batch norms; RPN and the two dense layers train, by the
paper's rates and schedule. Vasconcelos et al. ("Proper Reuse of Image Classification Features Improves Object
Detection", 2022) freeze the whole backbone, too; Goyal et al. ("Scaling and Benchmarking Self-Supervised Visual
Representation Learning", 2019) train stage 4, which is their RoI head.
"""

_base_ = "faster_rcnn_voc.py"

_frozen = dict(frozen_stages=4, norm_eval=True)

model = dict(backbone=_frozen, roi_head=dict(shared_head=dict(backbone=_frozen)))
