"""The teacher without mixup: ResNet-152-D, cosine and label smoothing (sec. 5.5); 80.26 % top-1 in its authors' zoo."""

_base_ = "resnet50d_smooth.py"

model = dict(backbone=dict(depth=152))
