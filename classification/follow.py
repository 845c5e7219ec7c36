"""The paper's text or its authors' code, where the two differ (docs/paper.md): `--follow text|authors`.

The published numbers came from the code, so the paper tier follows it; the text is what the paper asks for, and the
default elsewhere. What a recipe's own command says of it stands in the recipe, under `authors`.
"""

from typing import Any

from mmengine.config import Config
from torch import nn

from trick_transfer.engine.optimiser import WEIGHTED

FOLLOW = ("text", "authors")
STARTS = ("xavier", "gaussian")  # of the weights: the text's and the code's
KEY = "follow"
GAUSSIAN = 1.8824  # MXNet's MSRAPrelu with slope 0.25: 2 / (1 + 0.25^2)
# G@fd947a9b train_imagenet.py, G@b8387ee2 (distillation), X src/io/image_aug_default.cc; see docs/paper.md
AUTHORS: dict[str, Any] = {
    "train_dataloader.dataset.dataset.crop.type": "authors",
    "train_dataloader.dataset.dataset.jitter.form": "authors",
    "model.data_preprocessor.pca_clipped": True,
    "model.start": "gaussian",
    "model.norm_parts": 8,  # batch norm sees what one of 8 GPUs saw (W)
    "schedule.warmup_from": 0,
    KEY: "authors",
}
FORMS = ("label_smoothing", "distillation")  # tricks with the option form="authors"


def follow_authors(cfg: Config, tricks: dict[str, Any]) -> None:
    """Set all of AUTHORS, a ResNet's biases, and the form of the tricks that are on, unless it is stated."""
    for dotted, value in AUTHORS.items():
        *path, last = dotted.split(".")
        node = cfg._cfg_dict
        for word in path:
            node = node[word] or {}  # None: no jitter
        node[last] = value
    backbone = cfg.model.backbone
    if backbone.type == "backbones.ResNet" and not backbone.get("tweak"):
        backbone.biases = True  # G@567775619f resnet.py; its other networks have none
    for trick in FORMS:
        if isinstance(options := tricks.get(trick), dict):
            options.setdefault("form", "authors")


def gaussian(module: nn.Module) -> None:
    """For `apply`: weights of convolutions and fully-connected layers, with GAUSSIAN / mean of the fans as variance."""
    if isinstance(module, WEIGHTED):
        fans = nn.init._calculate_fan_in_and_fan_out(module.weight)
        nn.init.normal_(module.weight, std=(GAUSSIAN / (sum(fans) / 2)) ** 0.5)
