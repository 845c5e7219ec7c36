"""Predictions for a server with secret test labels: the best five classes of each unlabelled image.

Places365's server takes lines of `<file name> <label> x 5`, best first. Labels count classes from 0 in sorted order, as
Places365 does. The format: zhoubolei/places_devkit at 1c1b021f, README.md, sec. 2.2.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import BaseModel
from torch.utils.data import DataLoader, Dataset

from trick_transfer.engine.checkpoint import load_strictly, read_weights
from trick_transfer.engine.images import decode

from .augment import CROPS
from .data import list_unlabelled
from .registry import MODELS

UNLABELLED = "test"  # beside train and val, a flat folder


class Unlabelled(Dataset):
    """Unlabelled images, cropped as in validation."""

    def __init__(self, files: list[str], crop: dict) -> None:
        self.files = files
        self.options = dict(crop)
        self.crop = CROPS[self.options.pop("type")]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict:
        return {"inputs": self.crop(decode(self.files[index]), **self.options).copy(), "labels": -1}


def submission(cfg: Config, checkpoint: Path) -> Iterator[str]:
    """One line for each image in <data root>/test. Raises ValueError for a checkpoint that does not fit."""
    images = Unlabelled(list_unlabelled(cfg.data.root, UNLABELLED), cfg.val_dataloader.dataset.crop)
    model = MODELS.build(cfg.model | dict(teacher=None))
    load_strictly(model, read_weights(checkpoint), checkpoint)
    for image, best in zip(images.files, ranked(model.to(get_device()).eval(), images, cfg), strict=True):
        yield " ".join([Path(image).name, *map(str, best)])


@torch.inference_mode()
def ranked(model: BaseModel, images: Unlabelled, cfg: Config) -> Iterator[list[int]]:
    """The best five classes of each image."""
    loader = DataLoader(images, cfg.val_dataloader.batch_size, num_workers=cfg.val_dataloader.num_workers)
    for batch in loader:
        scaled = model.data_preprocessor(batch)
        yield from model(scaled["inputs"]).topk(5).indices.tolist()
