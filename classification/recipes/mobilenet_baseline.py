"""MobileNet (v1) with ReLU, no trick: 69.03 % top-1, 88.71 % top-5 in the paper (Tables 2, 3).

torchrun --nproc_per_node 8 tools/train.py classification mobilenet_baseline --tier paper

ReLU as in its authors' code (GluonCV mobilenet.py); timm's default is ReLU6.
"""

_base_ = "../baseline.py"

model = dict(
    backbone=dict(_delete_=True, type="backbones.Timm", model="mobilenetv1_100", options=dict(act_layer="relu"))
)
