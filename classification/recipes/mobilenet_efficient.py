"""MobileNet, efficient: 71.90 % top-1, 90.53 % top-5 in the paper (Table 6; Table 3 has 90.47 for the same row).

Without zero gamma: it has no residual blocks.
"""

_base_ = "../baseline.py"

model = dict(
    backbone=dict(_delete_=True, type="backbones.Timm", model="mobilenetv1_100", options=dict(act_layer="relu"))
)
tricks = dict(
    large_batch=dict(),
    amp=dict(),
    no_bias_decay=dict(),
    schedule=dict(warmup_epochs=5, decay="step"),
)
