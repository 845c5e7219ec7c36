"""From a recipe's name to a complete Config: baseline, the recipe's differences, the tricks, then the run's facts."""

import inspect
from math import ceil
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from backbones.registry import MODELS as BACKBONES
from backbones.registry import by_name, check_options, check_size
from trick_transfer.engine.batch import Batch
from trick_transfer.engine.values import check_epochs, check_name, nearest

from .augment import CROPS, JITTERS
from .data import list_images
from .registry import METRICS
from .tricks import apply
from .tricks.schedule import schedulers

FOLDER = Path(__file__).parent
RECIPES = FOLDER / "recipes"


def names() -> list[str]:
    """All recipes."""
    return sorted(path.stem for path in RECIPES.glob("*.py"))


def load(recipe: str, sets: dict[str, Any] | None = None) -> Config:
    """The recipe's Config with its tricks applied, for the paper tier.

    `sets` are dotted keys set before the tricks are applied, as in {"tricks.mixup": None, "max_epochs": 10}, or
    {"model.backbone": "timm/NAME"}.
    Raises ValueError for a recipe or key that does not exist, with the nearest name.
    """
    check_name("recipe", recipe, names())
    cfg = Config.fromfile(RECIPES / f"{recipe}.py")
    cfg.merge_from_dict(sets or {})
    if not isinstance(cfg.model.backbone, dict):
        cfg.model.backbone = by_name(str(cfg.model.backbone))
    check(cfg)
    apply(cfg, cfg.pop("tricks", {}))
    return cfg


def check(cfg: Config) -> None:
    """Refuse keys that nothing reads; `apply` does so for those of tricks."""
    baseline = Config.fromfile(FOLDER / "baseline.py")
    baseline.tricks = {}  # a recipe may have them; the baseline has none
    unknown = strangers(cfg, baseline)
    if unknown:
        raise ValueError(unknown)
    check_backbone(cfg.model.backbone)


def strangers(cfg: ConfigDict, known: ConfigDict, where: str = "") -> str:
    """The first key of a nested dict that the baseline does not have, as a message; "" where there is none."""
    for key, value in cfg.items():
        path = f"{where}{key}"
        if path in ("tricks", "model.backbone"):
            continue
        if key not in known:
            return f"key {path!r} does not exist; {nearest(key, list(known))}"
        if isinstance(value, dict) and isinstance(known[key], dict):
            found = strangers(value, known[key], path + ".")
            if found:
                return found
    return ""


def check_backbone(backbone: ConfigDict) -> None:
    """Refuse options that the backbone's class does not take, and values that it refuses."""
    check_name("backbone", backbone.type, ["backbones.ResNet", "backbones.Timm"])
    known = list(inspect.signature(BACKBONES.get(backbone.type)).parameters)
    for option in backbone:
        if option != "type" and option not in known:
            raise ValueError(f"key 'model.backbone.{option}' does not exist; {nearest(option, known)}")
    check_options(backbone)


def check_values(cfg: Config) -> None:
    """Refuse what could not be trained so: called once all is set, before any run of a plan begins."""
    check_backbone(cfg.model.backbone)
    check_length(cfg)
    apply(Config(cfg.to_dict()), options_in_force(cfg))  # each trick refuses what it cannot do
    train, val = cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset
    for crop in (train.crop, val.crop):
        check_name("crop", crop.type, CROPS)
        check_size(cfg.model.backbone, crop.size_px, crop.size_px)
    if train.jitter:
        check_name("jitter", train.jitter.form, JITTERS)
    METRICS.build(cfg.val_evaluator)


def options_in_force(cfg: Config) -> dict[str, Any]:
    """What the tricks' slots hold, as the tricks' options again: slots can be set without their trick."""
    schedule = {key: cfg.schedule[key] for key in ("warmup_epochs", "decay")}
    teacher = cfg.model.teacher
    if isinstance(teacher, dict):
        teacher = dict(teacher=teacher.get("recipe"), temperature=teacher.get("temperature"), form=teacher.get("form"))
    return dict(schedule=schedule, label_smoothing=cfg.model.smoothing, mixup=cfg.model.mix, distillation=teacher)


def check_length(cfg: Config) -> None:
    """Refuse a schedule that is no whole number of epochs, or ends before its warm-up does."""
    epochs, warmup = cfg.max_epochs, cfg.schedule.warmup_epochs
    check_epochs("max_epochs", epochs)
    if 0 < epochs <= warmup:
        raise ValueError(f"max_epochs={epochs} end before the warm-up's {warmup}; lower tricks.schedule.warmup_epochs")


def check_data(cfg: Config) -> None:
    """Refuse, before anything is trained, data that is missing or not what the recipe counts on."""
    classes = {}
    for split, expected in (("train", cfg.data.num_train), ("val", cfg.data.num_val)):
        classes[split], files, _ = list_images(cfg.data.root, split)
        found = f"{cfg.data.root}/{split} holds {len(files)} images in {len(classes[split])} classes"
        if (len(files), len(classes[split])) != (expected, cfg.model.num_classes):
            raise ValueError(
                f"{found}, {cfg.data.name} has {expected} in {cfg.model.num_classes}; complete it, or use "
                f"--set data.num_{split}={len(files)} model.num_classes={len(classes[split])}"
            )
    strange = sorted(set(classes["train"]) ^ set(classes["val"]))
    if strange:
        raise ValueError(f"{cfg.data.root}/train and val are of different classes, see {', '.join(strange[:4])}")


def finish(cfg: Config, batch: Batch) -> Config:
    """Turn `global_batch`, `max_epochs`, `schedule` and `data` into what the Runner reads. The recipe's keys go."""
    data, epochs = cfg.pop("data"), cfg.pop("max_epochs")
    for loader in (cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset):
        loader.update(root=data.root, num_classes=cfg.model.num_classes)
    cfg.train_dataloader.batch_size = batch.per_device
    cfg.optim_wrapper.accumulative_counts = batch.accumulation
    share = ceil(data.num_train / batch.devices)  # the sampler rounds up, the loader drops what is left of a batch
    full = share // batch.per_device
    if not full:
        raise ValueError(f"{data.num_train} training images do not fill one step of {batch}")
    iterations = cfg.train_dataloader.get("num_batch_per_epoch") or full
    cfg.param_scheduler = schedulers(iterations, epochs, **cfg.pop("schedule"))
    cfg.train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=1)
    cfg.val_cfg = dict()
    cfg.pop("global_batch")
    return cfg
