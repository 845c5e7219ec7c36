"""ResNet-50-D with the whole bag: 79.29 % top-1, 81.33 mAP, 38.40 mIoU in the paper (Tables 6, 8, 9, last row).

torchrun --nproc_per_node 8 tools/train.py classification resnet50d_best --tier paper
"""

_base_ = "../baseline.py"

model = dict(backbone=dict(depth=50, tweak="bcd"))
max_epochs = 200
tricks = dict(
    large_batch=dict(),
    amp=dict(),
    zero_gamma=dict(),
    no_bias_decay=dict(),
    schedule=dict(warmup_epochs=5, decay="cosine"),
    label_smoothing=dict(eps=0.1),
    distillation=dict(teacher="resnet152d_mixup", temperature=20),
    mixup=dict(alpha=0.2),
)
