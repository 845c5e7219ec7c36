"""Inception-V3 at 299 px, no trick: 77.32 % top-1, 93.43 % top-5 in the paper (Tables 2, 3).

torchrun --nproc_per_node 8 tools/train.py classification inception_v3_baseline --tier paper

No auxiliary head, as its authors have it (GluonCV inception.py); without their dropout of 0.5 before the output layer,
which the paper does not mention. Validation resizes the shorter edge to 342, in proportion to 256 at 224 (their crop
ratio 0.875).
"""

_base_ = "../baseline.py"

model = dict(backbone="timm/inception_v3")
train_dataloader = dict(dataset=dict(dataset=dict(crop=dict(size_px=299))))
val_dataloader = dict(dataset=dict(crop=dict(size_px=299, shorter_px=342)))
