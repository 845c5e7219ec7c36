"""What a trained classifier uses: the coat or the shape of `mini`'s animals, and its residual branches.

With zero gamma (sec. 3.1) a residual network starts as its shortcuts; where the rate or the steps are few, it stays so.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from backbones.branches import branches_off, last_gammas, last_layers

from .classifier import ImageClassifier
from .data import ImageFolder

SWAPPED = "swapped"  # a split that only `mini` has: <shape>/<coat>_<n>.jpg


@torch.inference_mode()
def predicted(model: ImageClassifier, data: Any, cfg: Config) -> Iterator[tuple[Tensor, Tensor]]:
    """(predicted classes, labels) of each batch that is scored."""
    model = model.to(get_device()).eval()
    val = cfg.val_dataloader
    batches = DataLoader(data, val.batch_size, num_workers=val.num_workers)
    for batch in islice(batches, val.get("num_batch_per_epoch")):
        images = model.data_preprocessor.normalise(batch["inputs"].to(get_device()), training=False)
        yield model(images).argmax(1).cpu(), batch["labels"]


def split_of(cfg: Config, **changed: Any) -> ImageFolder:
    """The images that are scored, or with `split` others, cropped alike."""
    options = {key: value for key, value in cfg.val_dataloader.dataset.items() if key != "type"}
    return ImageFolder(**options | dict(root=cfg.data.root, num_classes=cfg.model.num_classes) | changed)


def hits(model: ImageClassifier, data: Any, cfg: Config) -> Tensor:
    """(N,) whether each image is given its class; a file that cannot be read has none, and is left out."""
    return torch.cat([(found == truth)[truth >= 0] for found, truth in predicted(model, data, cfg)]).float()


def top1(model: ImageClassifier, cfg: Config, images: int) -> tuple[float, int, bool]:
    """Top-1 in percent, of how many images, and whether these are all: at least `images`, evenly from all classes."""
    data = split_of(cfg)
    found = hits(model, Subset(data, range(0, len(data), max(1, len(data) // images))), cfg)
    return 100 * float(found.mean()), len(found), len(found) == len(data)


def residual_branches(model: ImageClassifier, cfg: Config) -> dict[str, Any] | None:
    """top1_off: top-1 in percent with all residual branches off; gammas: by stage, the largest and the median |gamma|
    of the batch norms that end them. None for a network without residual branches."""
    if not any(last_layers(model.backbone)):
        return None
    with branches_off(model.backbone):
        top1_off = 100 * float(hits(model, split_of(cfg), cfg).mean())
    sizes = last_gammas(model.backbone).items()
    gammas = {str(stage): dict(largest=float(each.max()), median=float(each.median())) for stage, each in sizes}
    return dict(top1_off=top1_off, gammas=gammas)


def swapped_coats(model: ImageClassifier, cfg: Config) -> dict[str, float]:
    """follows_shape and follows_coat: does a network follow the shape or the coat? In percent."""
    data = split_of(cfg, split=SWAPPED)
    found = torch.cat([classes for classes, _ in predicted(model, data, cfg)])
    return follows(data.files, [data.classes[i] for i in found])


def follows(files: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """Percent of the predicted kinds that are the file's shape, and its coat."""
    files = files[: len(predicted)]
    shapes = [Path(file).parent.name for file in files]
    coats = [Path(file).stem.split("_")[0] for file in files]
    return {
        f"follows_{name}": 100 * sum(a == b for a, b in zip(predicted, true, strict=True)) / len(true)
        for name, true in (("shape", shapes), ("coat", coats))
    }
