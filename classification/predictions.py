"""Predictions without a truth: of the user's own images, and for a server with secret labels.

Places365's server takes lines of `<file name> <label> x 5`, best first. Labels count classes from 0 in sorted order, as
Places365 does. The format: zhoubolei/places_devkit at 1c1b021f, README.md, sec. 2.2.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from torch import Tensor
from torch.utils.data import DataLoader

from trick_transfer.engine.archives import subfolders
from trick_transfer.engine.images import decode
from trick_transfer.engine.weights import load_strictly, read_weights

from .augment import CROPS
from .data import list_unlabelled, place_of
from .metric import KEPT
from .registry import MODELS

UNLABELLED = "test"  # beside train and val, a flat folder
UNKNOWN = -1  # the label of an image without truth


@torch.inference_mode()
def submission(cfg: Config, checkpoint: Path) -> Iterator[str]:
    """One line for each image in <data root>/test. Raises ValueError for a checkpoint that does not fit."""
    files, val = list_unlabelled(cfg.data.root, UNLABELLED), cfg.val_dataloader
    model = MODELS.build(cfg.model | dict(teacher=None))
    load_strictly(model, read_weights(checkpoint, model.state_dict()), checkpoint)
    model = model.to(get_device()).eval()
    scale = partial(model.data_preprocessor.normalise, training=False)
    crop = partial(cropped, crop=val.dataset.crop)
    loader: DataLoader = DataLoader(files, val.batch_size, num_workers=val.num_workers, collate_fn=crop)  # type: ignore[arg-type]
    most = min(KEPT, cfg.model.num_classes)
    best = (row for images in loader for row in model(scale(images.to(get_device()))).topk(most).indices.tolist())
    for file, classes in zip(files, best, strict=True):
        yield " ".join([Path(file).name, *map(str, classes)])


def cropped(files: list[str], crop: dict) -> Tensor:
    """A batch (N, size_px, size_px, 3) of images, cropped as in validation."""
    options = dict(crop)
    cut = CROPS[options.pop("type")]
    return torch.from_numpy(np.stack([cut(decode(file), **options) for file in files]))


def class_names(cfg: Config) -> list[str]:
    """The data's class folders, in order; where the data are not there, the classes' numbers in words."""
    for split in (cfg.val_dataloader.dataset.split, "train"):
        if folders := subfolders(place_of(cfg.data.root, split)):
            return [folder.name for folder in folders]
    return [f"class {number}" for number in range(cfg.model.num_classes)]


def feeder(cfg: Config) -> Callable[[Path], dict[str, Any]]:
    """What makes a sample of an image file, cropped as in validation, of unknown label."""
    return lambda path: {"inputs": cropped([str(path)], cfg.val_dataloader.dataset.crop)[0], "labels": UNKNOWN}


def best_classes(logits: Tensor, classes: Sequence[str]) -> list[dict[str, Any]]:
    """The most probable classes of an image's logits (K,), best first."""
    best = logits.float().softmax(0).topk(min(KEPT, len(classes)))
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [{"category_id": number, "name": classes[number], "probability": value} for number, value in pairs]
