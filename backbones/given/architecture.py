"""What the name of a network says: a registered backbone, its whole classifier, and how its images are fed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from backbones.base import Backbone
from backbones.registry import MODELS
from backbones.resnet import BLOCKS
from trick_transfer.engine.values import check_name

OURS = {
    f"resnet{depth}{letter}": dict(type="backbones.ResNet", depth=depth, tweak=tweak)
    for depth in BLOCKS
    for letter, tweak in (("", ""), ("b", "b"), ("c", "bc"), ("d", "bcd"))
}  # as the recipes name them


@dataclass(frozen=True)
class Architecture:
    """A registered backbone's config; the rest as in `Given`, for the weights that the name stands for, if it does."""

    backbone: dict[str, Any]
    classifier: Callable[[int], nn.Module] | None = None  # classes -> the whole network, its weights random
    mean: list[float] | None = None
    std: list[float] | None = None
    interpolation: str = "bilinear"
    licence: str = "unknown"
    classes: tuple[str, ...] = ()


class Pooled(nn.Module):
    """A backbone, average pooling and one output layer: normalised images (N, 3, H, W) -> logits (N, K)."""

    def __init__(self, backbone: dict[str, Any], classes: int) -> None:
        super().__init__()
        self.backbone: Backbone = MODELS.build(backbone)
        self.head = nn.Linear(self.backbone.channels[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.backbone(images)[-1].mean((2, 3)))


def ours(name: str) -> Architecture:
    """`resnet50d` and so on, as our recipes name them. Raises ValueError for another name."""
    check_name("--arch", name, OURS)
    return Architecture(OURS[name], partial(Pooled, OURS[name]))


def imagenet(count: int) -> tuple[str, ...]:
    """The WordNet ids of the ImageNet of `count` classes, in order; () if there is none, as timm tells them apart."""
    from timm.data import ImageNetInfo, infer_imagenet_subset  # takes seconds

    subset = infer_imagenet_subset({"num_classes": count})
    return tuple(ImageNetInfo(subset).label_names()) if subset else ()
