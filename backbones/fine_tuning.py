"""A stage that fine-tunes a card's backbone under a frozen protocol.

For fairness only the backbone is filled in, and how it is fed images: mean, std, channel order and interpolation.

A protocol is a file of plain data beside the stage's `stage.py`. Its data sets have a `data_root`; its backbone slots
are named `backbone`.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from math import ceil
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dataset import Compose
from torch import nn

from trick_transfer.engine.batch import Batch
from trick_transfer.engine.layers import Layers
from trick_transfer.engine.stage import Stage
from trick_transfer.engine.values import check_name

from . import openmmlab
from .base import Backbone
from .card import Card, arrived_percent
from .registry import check_size

RESIZING = ("Resize", "RandomResize", "center")  # mmcv's steps, and the crop of class folders
PHOTO_PX = (333, 500)  # height and width of many VOC images; they are resized to odd sizes


class FineTuning(Stage):
    """What all stages after classification share; a stage extends `fill` if more depends on the card."""

    folder: Path  # of the protocols' files
    plain_words: Mapping[str, Mapping[str, Any] | None] = {}  # a type of ours -> what is nearest to it in the library
    truth_step: str = ""  # of the pipeline: what reads the truth

    def draft(self, name: str, sets: dict[str, Any]) -> Layers:
        check_name(f"{self.name} protocol", name, self.protocols)
        stated = Config.fromfile(self.folder / f"{name}.py").to_dict()
        # names with a leading underscore are helpers within the file, not settings
        return Layers(f"protocol {name}", Config({key: each for key, each in stated.items() if key[0] != "_"}))

    def root(self, cfg: Config) -> Path:
        return Path(next(part.data_root for part in parts(cfg._cfg_dict) if "data_root" in part))

    def place(self, cfg: Config, root: Path) -> None:
        for part in parts(cfg._cfg_dict):
            if "data_root" in part:
                part.data_root = str(root)

    def connect(self, cfg: Config, card: Card) -> None:
        card.feed(cfg.model.data_preprocessor)
        if card.interpolation != "bilinear":  # the protocols'
            for step in parts(cfg._cfg_dict):
                if step.get("type") in RESIZING:
                    step.interpolation = card.interpolation
        self.fill(cfg.model, card)
        for height_px, width_px in self.image_sizes(cfg):
            check_size(cfg.model.backbone, height_px, width_px)

    def fill(self, model: Any, card: Card) -> None:
        """Put the card into each backbone slot. Raises ValueError for a backbone that the protocol cannot use."""
        for part in list(parts(model)):
            if "backbone" in part:
                part.backbone = card.slot(**{key: each for key, each in part.backbone.items() if key != "type"})

    def image_sizes(self, cfg: Config) -> Iterator[tuple[int, int]]:
        """Height and width in pixels of a photograph when it reaches the network."""
        divisor = cfg.model.data_preprocessor.get("pad_size_divisor", 1)
        for step in cfg.val_dataloader.dataset.pipeline:
            if step.type == "Resize":
                factor = min(most / side for most, side in zip(sorted(step.scale), PHOTO_PX, strict=True))
                height, width = (ceil(round(side * factor) / divisor) * divisor for side in PHOTO_PX)
                yield height, width

    def global_batch(self, cfg: Config) -> int:
        return cfg.train_dataloader.batch_size

    def finish(self, cfg: Config, batch: Batch) -> None:
        cfg.train_dataloader.batch_size = batch.per_device
        cfg.optim_wrapper.accumulative_counts = batch.accumulation

    def plain(self, cfg: Config, weights: Path) -> Config:
        self.place(cfg, self.root(cfg).absolute())
        cfg.model.backbone = openmmlab.resnet(cfg.model.backbone, weights)
        words = {**openmmlab.WORDS, **self.plain_words}
        return Config(openmmlab.complete(openmmlab.plainly(cfg.to_dict(), words)))

    def as_scored(self, cfg: Config) -> Any:
        read = deepcopy(cfg.train_dataloader.dataset.dataset)
        for part in parts(read):
            if "pipeline" in part:
                part.update(pipeline=cfg.val_dataloader.dataset.pipeline, test_mode=True)
        return read

    def feeder(self, cfg: Config) -> Callable[[Path], Any]:
        pipeline = cfg.val_dataloader.dataset.pipeline
        steps = Compose([step for step in pipeline if step.type != self.truth_step])
        return lambda path: steps(dict(img_path=str(path), img_id=path.stem, turned=False))

    def arrived(self, model: nn.Module, card: Card) -> dict[str, float]:
        backbones = (module for module in model.modules() if isinstance(module, Backbone))
        return dict(arrived_percent=arrived_percent(card, *backbones), feature_error=card.feature_error)


def parts(node: Any) -> Iterator[Any]:
    """Every dict within a config, outermost first."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list | tuple):
        for child in node:
            yield from parts(child)
