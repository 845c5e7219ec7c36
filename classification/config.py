"""From a recipe's name to a Config for the paper tier: baseline, the recipe's differences, then the tricks."""

import inspect
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from backbones.registry import by_name, check_size, registered, sketch
from trick_transfer.engine.batch import Batch
from trick_transfer.engine.held_out import trained_on
from trick_transfer.engine.layers import Layers
from trick_transfer.engine.values import check_name, check_value, nearest

from .augment import CROPS, JITTERS
from .data import list_images
from .follow import FOLLOW, KEY, follow_authors
from .given import feed, match
from .norms import parts_of_a_step
from .registry import METRICS
from .tricks import BAG, check_tricks, switch
from .tricks.schedule import schedulers

RECIPES = Path(__file__).parent / "recipes"
BACKBONE, TRICKS = "model.backbone", "tricks"


def names() -> list[str]:
    """All recipes."""
    return sorted(path.stem for path in RECIPES.glob("*.py"))


def load(recipe: str, sets: dict[str, Any] | None = None) -> Config:
    """The Config of `draft`."""
    return draft(recipe, sets or {}).cfg


def draft(name: str, sets: dict[str, Any]) -> Layers:
    """A recipe's Config with its tricks applied, for the paper tier.

    `sets` are set before: {"tricks.mixup": None, "max_epochs": 10}, {"model.backbone": "timm/NAME"}, or
    {"follow": "authors"}.
    Raises ValueError for a recipe or key that does not exist, with the closest name, and for a value of another type.
    """
    check_name("recipe", name, names())
    baseline = Config.fromfile(RECIPES.parent / "baseline.py")
    layers = Layers("baseline", baseline)
    layers.replace(f"recipe {name}", Config.fromfile(RECIPES / f"{name}.py"))
    sets = dict(sets)
    follow = sets.pop(KEY, FOLLOW[0])
    check_name("--follow", follow, FOLLOW)
    own = layers.cfg.pop("authors", {})
    if follow == "authors":
        layers.add("--follow authors", lambda cfg: cfg.merge_from_dict(own))
    layers.add("--set", lambda cfg: cfg.merge_from_dict(sets))
    if not isinstance(layers.cfg.model.backbone, dict) or sets.get(BACKBONE) == {}:  # which sets nothing
        layers.cfg.model.backbone = by_name(str(sets.get(BACKBONE, layers.cfg.model.backbone)))
    tricks = layers.cfg.pop(TRICKS, {})
    if not isinstance(tricks, dict):
        raise ValueError(f"tricks must be a dict, got {tricks!r}; to leave one out, --set tricks.NAME=None")
    stated = layers.cfg.to_dict()
    backbone = stated["model"].pop("backbone")
    check_value("", stated, baseline.to_dict(), baseline.default_scope)
    check_backbone(backbone)
    if follow == "authors":
        layers.add("--follow authors", lambda cfg: follow_authors(cfg, tricks))
    for trick, options in tricks.items():
        check_name("trick", trick, BAG)
        if options is not None:
            mine = " (--set)" if any(key.startswith(f"{TRICKS}.{trick}") for key in sets) else ""
            layers.add(f"trick {trick}{mine}", partial(switch, name=trick, options=options))
    return layers


def check_backbone(backbone: ConfigDict | dict) -> None:
    """Raise ValueError for options that the backbone's class does not accept, and values that it refuses."""
    known = list(inspect.signature(registered(backbone["type"])).parameters)
    for option in backbone:
        if option != "type" and option not in known:
            raise ValueError(f"key '{BACKBONE}.{option}' does not exist; {nearest(option, known)}")
    sketch(backbone)


def check(cfg: Config) -> None:
    """Raise ValueError for values that cannot be trained: called once all is set, before any run of a plan starts."""
    check_backbone(cfg.model.backbone)
    check_tricks(cfg)
    train, val = cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset
    for crop in (train.crop, val.crop):
        check_name("crop", crop.type, CROPS)
        check_size(cfg.model.backbone, crop.size_px, crop.size_px)
    if train.jitter:
        check_name("jitter", train.jitter.form, JITTERS)
    METRICS.build(cfg.val_evaluator)


def check_data(cfg: Config, training: bool = True) -> None:
    """Raise FileNotFoundError or ValueError for data that is missing or not what the recipe expects."""
    expected = {"train": cfg.data.num_train, "val": cfg.data.num_val}
    listed = {split: list_images(cfg.data.root, split) for split in ("train", "val")[0 if training else 1 :]}
    classes = {split: found for split, (found, *_) in listed.items()}
    for split, (found, files, _) in listed.items():
        if (len(files), len(found)) != (expected[split], cfg.model.num_classes):
            counts = " ".join(f"data.num_{each}={len(images)}" for each, (_, images, _) in listed.items())
            raise ValueError(
                f"{cfg.data.root}/{split} holds {len(files)} images in {len(found)} classes, {cfg.data.name} has "
                f"{expected[split]} in {cfg.model.num_classes}; complete the folder, or use "
                f"--set {counts} model.num_classes={len(found)}"
            )
    differing = sorted(set(classes.get("train", classes["val"])) ^ set(classes["val"]))
    if differing:
        raise ValueError(f"{cfg.data.root}/train and val differ in the classes {', '.join(differing[:4])}")


def finish(cfg: Config, batch: Batch) -> None:
    """Replace what a recipe states by what the Runner reads. Raises ValueError if the images do not fill one step."""
    if cfg.model.get("given"):
        feed(cfg)
    data, epochs = cfg.pop("data"), cfg.pop("max_epochs")
    for loader in (cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset):
        loader.update(root=data.root, num_classes=cfg.model.num_classes)
    cfg.train_dataloader.batch_size = batch.per_device
    if parts := cfg.model.get("norm_parts"):
        cfg.model.norm_parts = parts_of_a_step(parts, batch)
    cfg.optim_wrapper.accumulative_counts = batch.accumulation
    few = cfg.train_dataloader.get("num_batch_per_epoch")  # the smoke tier's
    images = trained_on(cfg, data.num_train)
    updates = min(few or images, images // batch.total)
    if not updates:
        raise ValueError(f"{images} training images do not fill one step of {batch}")
    if few:
        cfg.train_dataloader.num_batch_per_epoch = updates * batch.accumulation
    cfg.train_dataloader.sampler.images = updates * batch.total  # so that an epoch ends with an update
    cfg.param_scheduler = schedulers(updates, epochs, **cfg.pop("schedule"))
    cfg.train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=1)
    cfg.val_cfg = dict()
    cfg.pop("global_batch")
    if cfg.model.get("given") and not epochs:
        match(cfg)
