"""Shrink a stage's Config from the paper's data to the embedded benchmark: data, sizes, schedule lengths, no method.

`mini` ends in minutes on two CPU cores; `smoke` is mini cut to two steps, for tests. What is here is chosen by
measurement on two cores of a 2026 server CPU, not taken from the paper.
"""

from collections.abc import Callable

from mmengine.config import Config

from . import CLASSES
from .splits import SPLITS

COUNT = {split.name: split.count for split in SPLITS}
WORKERS = 0  # both cores are busy training, and a small picture costs 0.2 ms

# classification
PX, SHORTER_PX = 64, 72  # the paper's 224 and 256, at stored images of 88 px
BATCH_SHARE = 1 / 32  # 256 -> 8 and 1024 -> 32 images, so that few epochs still make some hundred steps
RATE_SHARE = 1 / 8  # 0.1 -> 0.0125 and 0.4 -> 0.05
EPOCH_SHARE = 1 / 60  # 120 -> 2 and 200 -> 3 epochs of 6,000 images


def classification(cfg: Config) -> None:
    """10 kinds, 64 px, a few epochs."""
    cfg.data.update(name="mini", num_train=COUNT["train"], num_val=COUNT["val"])
    cfg.model.num_classes = len(CLASSES)
    cfg.train_dataloader.dataset.dataset.crop.size_px = PX
    cfg.val_dataloader.dataset.crop.update(size_px=PX, shorter_px=SHORTER_PX)
    cfg.train_dataloader.num_workers = cfg.val_dataloader.num_workers = WORKERS
    cfg.global_batch = int(cfg.global_batch * BATCH_SHARE)
    cfg.optim_wrapper.optimizer.lr *= RATE_SHARE
    epochs = cfg.max_epochs
    cfg.max_epochs = round(epochs * EPOCH_SHARE)
    share = cfg.max_epochs / epochs if epochs else 0.0
    cfg.schedule.warmup_epochs *= share
    cfg.schedule.milestones = [epoch * share for epoch in cfg.schedule.milestones]


STAGES: dict[str, Callable[[Config], None]] = {"classification": classification}


def shrink(stage: str, cfg: Config) -> None:
    """Change a stage's Config in place."""
    STAGES[stage](cfg)


def two_steps(stage: str, cfg: Config) -> None:
    """The smoke tier: two training steps of four images, and eight images scored."""
    train = cfg.train_dataloader
    if stage == "classification":
        cfg.global_batch, cfg.max_epochs = 4, min(cfg.max_epochs, 1)
        cfg.schedule.update(warmup_epochs=cfg.schedule.warmup_epochs and 0.5, milestones=[1])
    train.update(num_batch_per_epoch=2, num_workers=0)
    train.pop("persistent_workers", None)
    cfg.val_dataloader.update(num_batch_per_epoch=2, batch_size=4, num_workers=0)
    cfg.val_dataloader.pop("persistent_workers", None)
