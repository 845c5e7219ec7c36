"""A standing diagnostic: animals of `mini` in another kind's coat tell whether a network reads shapes or coats."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config

from .classifier import ImageClassifier
from .data import ImageFolder

SWAPPED = "swapped"  # a split that only `mini` has: <shape>/<coat>_<n>.jpg


@torch.inference_mode()
def swapped_coats(model: ImageClassifier, cfg: Config) -> dict[str, float]:
    """follows_shape and follows_coat in percent."""
    options = {key: value for key, value in cfg.val_dataloader.dataset.items() if key != "type"}
    data = ImageFolder(**options | dict(split=SWAPPED, root=cfg.data.root, num_classes=cfg.model.num_classes))
    images = torch.from_numpy(np.stack([data[i]["inputs"] for i in range(len(data))]))
    scaled = model.data_preprocessor.normalise(images, training=False)
    predicted = torch.cat([model(chunk).argmax(1) for chunk in scaled.split(64)])
    return follows(data.files, [data.classes[i] for i in predicted])


def follows(files: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """How often the kinds predicted are a file's shape, and its coat, in percent."""
    shapes = [Path(file).parent.name for file in files]
    coats = [Path(file).stem.split("_")[0] for file in files]
    return {"follows_shape": share(predicted, shapes), "follows_coat": share(predicted, coats)}


def share(predicted: Sequence[str], true: Sequence[str]) -> float:
    """Percent of equal pairs."""
    return 100 * sum(a == b for a, b in zip(predicted, true, strict=True)) / len(true)
