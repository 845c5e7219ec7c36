"""Shrink a stage's Config from the paper's data to the embedded benchmark: data, sizes, schedule lengths, no method.

`mini` ends in minutes on two CPU cores; `smoke` is mini cut to two steps, for tests. What is here is chosen by
measurement on two cores of a 2026 server CPU, not taken from the paper.
"""

from collections.abc import Callable

from mmengine.config import Config

from . import CLASSES, STUFF
from .splits import SPLITS

COUNT = {split.name: split.count for split in SPLITS}
WORKERS = 0  # both cores are busy training, and a small picture costs 0.2 ms

# classification
# The paper's 224 and 256 become 64 and 72, at stored images of 88 px; Inception-V3's 299 and 342 become 85 and 96. It
# takes no less than 75.
PX_SHARE, SHORTER_SHARE = 64 / 224, 72 / 256
BATCH_SHARE = 1 / 32  # 256 -> 8 and 1024 -> 32 images, so that few epochs still make some hundred steps
RATE_SHARE = 1 / 40  # 0.1 -> 0.0025 and 0.4 -> 0.01; 0.025 ended 12 points of top-1 lower (resnet50d_mixup, seed 0)
EPOCH_SHARE = 1 / 60  # 120 -> 2 and 200 -> 3 epochs of 6,000 images
WARMUP_SHARE = 1 / 16  # 5 -> 0.31 epochs, or 58 steps; the paper's share of the schedule would be 14 steps


def classification(cfg: Config) -> None:
    """10 kinds, small images, a few epochs."""
    cfg.data.update(name="mini", num_train=COUNT["train"], num_val=COUNT["val"])
    cfg.model.num_classes = len(CLASSES)
    train, val = cfg.train_dataloader.dataset.dataset.crop, cfg.val_dataloader.dataset.crop
    train.size_px, val.size_px = (round(crop.size_px * PX_SHARE) for crop in (train, val))
    val.shorter_px = round(val.shorter_px * SHORTER_SHARE)
    cfg.train_dataloader.num_workers = cfg.val_dataloader.num_workers = WORKERS
    cfg.global_batch = int(cfg.global_batch * BATCH_SHARE)
    cfg.optim_wrapper.optimizer.lr *= RATE_SHARE
    epochs = cfg.max_epochs
    cfg.max_epochs = round(epochs * EPOCH_SHARE)
    share = cfg.max_epochs / epochs if epochs else 0.0
    cfg.schedule.warmup_epochs *= WARMUP_SHARE
    cfg.schedule.milestones = [epoch * share for epoch in cfg.schedule.milestones]


# detection: scenes of 176x128
SHORT_PX = 160
ANCHOR_SCALES = (2, 4)  # x 16 px; at 160 px the best anchor reaches IoU 0.5 for 87 % of the boxes
RPN_SAMPLES, ROIS, ROI_PX = 32, 16, 6  # stage 4 on 128 RoIs of 14x14 an image would take seconds
PROPOSALS = dict(nms_pre=1000, min_bbox_size=4)
DETECTION_EPOCHS, DETECTION_RATE = 3, 0.02  # the paper's 20 epochs at 0.001 make 83,000 steps, these 375


def detection(cfg: Config) -> None:
    """10 kinds, small scenes, few and small RoIs."""
    datasets = [*cfg.train_dataloader.dataset.dataset.datasets, cfg.val_dataloader.dataset]
    for dataset in datasets:
        dataset.metainfo = dict(classes=CLASSES)
        for step in dataset.pipeline:
            if step.type == "Resize":
                step.scale = (10_000, SHORT_PX)
    head, train, test = cfg.model.roi_head, cfg.model.train_cfg, cfg.model.test_cfg
    head.bbox_head.num_classes = len(CLASSES)
    if "shared_head" in head:  # C4; the FPN's levels and its two-layer head are small enough as they are
        head.bbox_head.roi_feat_size = ROI_PX // 2
        head.bbox_roi_extractor.roi_layer.output_size = ROI_PX
        cfg.model.rpn_head.anchor_generator.scales = list(ANCHOR_SCALES)
    train.rpn.sampler.num, train.rcnn.sampler.num = RPN_SAMPLES, ROIS
    train.rpn_proposal.update(PROPOSALS, max_per_img=200)
    test.rpn.update(PROPOSALS, max_per_img=50)
    cfg.val_dataloader.batch_size = 4
    cfg.optim_wrapper.optimizer.lr = DETECTION_RATE
    for schedule in cfg.param_scheduler:
        schedule.update(dict(end=20) if schedule.type == "LinearLR" else dict(milestones=[DETECTION_EPOCHS - 1]))
    shorten(cfg, DETECTION_EPOCHS)


# segmentation
CROP_PX, BASE_PX = 96, 104  # the paper's 480 and 520
SEGMENTATION_EPOCHS = 4


def segmentation(cfg: Config) -> None:
    """10 kinds and 10 materials, small crops."""
    train, val = cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset
    cfg.model.decode_head.num_classes = len(CLASSES + STUFF)
    train.metainfo = val.metainfo = dict(classes=CLASSES + STUFF)
    for step in train.pipeline:
        if step.type == "RandomResize":
            step.scale = [(100_000, BASE_PX // 2), (100_000, BASE_PX * 2)]
        elif step.type == "Pad":
            step.size = (CROP_PX, CROP_PX)
        elif step.type == "RandomCrop":
            step.crop_size = (CROP_PX, CROP_PX)
    for step in val.pipeline:
        if step.type == "Resize":
            step.scale = (4 * BASE_PX, BASE_PX)
    cfg.param_scheduler[0].end = SEGMENTATION_EPOCHS
    shorten(cfg, SEGMENTATION_EPOCHS)


def shorten(cfg: Config, epochs: int) -> None:
    """Fewer epochs, low precision, and no worker processes: what the two downstream stages have in common."""
    cfg.train_cfg.update(max_epochs=epochs, val_begin=epochs + 1)
    cfg.optim_wrapper.type = "trick_transfer.LowPrecisionOptimWrapper"
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(num_workers=WORKERS, persistent_workers=False)


STAGES: dict[str, Callable[[Config], None]] = {
    "classification": classification,
    "detection": detection,
    "segmentation": segmentation,
}


def shrink(stage: str, cfg: Config) -> None:
    """Change a stage's Config in place."""
    STAGES[stage](cfg)


def two_steps(stage: str, cfg: Config) -> None:
    """The smoke tier: two training steps of four images, and eight images scored."""
    if stage == "classification":
        cfg.global_batch, cfg.max_epochs = 4, min(cfg.max_epochs, 1)
        cfg.schedule.update(warmup_epochs=cfg.schedule.warmup_epochs and 0.5, milestones=[1])
    else:
        shorten(cfg, 1)
        cfg.train_dataloader.batch_size = 4
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.num_batch_per_epoch = 2
    cfg.val_dataloader.batch_size = 4
