"""ResNet-50-D on MIT Places365, efficient: 56.34 % top-1, 86.87 % top-5 in validation in the paper (Table 7).

torchrun --nproc_per_node 8 tools/train.py classification resnet50d_efficient_places365 --tier paper

The paper states model and tricks only; batch, epochs and the start from random weights follow sec. 3.
"""

_base_ = "../baseline.py"

model = dict(backbone=dict(tweak="bcd"), num_classes=365)
# Places365-Standard: 1,803,460 training and 36,500 validation images (Zhou et al. 2017)
data = dict(name="places365", root="data/places365", num_train=1803460, num_val=36500)
tricks = dict(
    large_batch=dict(),
    amp=dict(),
    zero_gamma=dict(),
    no_bias_decay=dict(),
    schedule=dict(warmup_epochs=5, decay="step"),
)
