"""A diagnostic: does a network follow the shape or the coat of `mini`'s animals in another kind's coat?"""

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
    """Percent of the predicted kinds that are the file's shape, and its coat."""
    shapes = [Path(file).parent.name for file in files]
    coats = [Path(file).stem.split("_")[0] for file in files]
    return {
        f"follows_{name}": 100 * sum(a == b for a, b in zip(predicted, true, strict=True)) / len(true)
        for name, true in (("shape", shapes), ("coat", coats))
    }
