"""Weights from elsewhere: a classification starts from them, and one of zero epochs carries them to the later stages.

`given` is a setting: a dict of OPTIONS, or the source alone; see `backbones.given.source`. It decides the network and
how images are fed. The given head is scored where its classes are the data's; in training the head is new.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any, get_args

import torch
from mmengine.config import Config
from torch import Tensor, nn

from backbones.base import Backbone
from backbones.card import Interpolation, Order
from backbones.given.fit import fit
from backbones.given.source import CLASS, FOLDER, TORCHVISION, Given, feeding, find
from backbones.registry import TIMM, registered
from trick_transfer.engine.archives import subfolders
from trick_transfer.engine.convolution import laid_out
from trick_transfer.engine.values import check_name
from trick_transfer.engine.weights import load_strictly

from .data import place_of

KEY = "given"
WEIGHTS = (".pth", ".pt", ".bin", ".safetensors")
FITS = ("part", "allow_missing")  # see `backbones.given.fit`
FEEDS = ("mean", "std")  # where the source does not say them
HOW = {"channel_order": get_args(Order), "interpolation": get_args(Interpolation)}  # likewise
LICENCE = "licence"  # of the weights, likewise
OPTIONS = ("source", "arch", *FITS, *FEEDS, *HOW, LICENCE, "name")


def spelt_out(given: Any) -> Any:
    """A setting as a dict, also where it is the source alone; not checked."""
    return {"source": given} if isinstance(given, str) else given


def options_of(given: Any) -> dict[str, Any]:
    """A setting's options. Raises ValueError for unknown ones, or none."""
    options = spelt_out(given)
    if not isinstance(options, dict) or not isinstance(options.get("source"), str):
        raise ValueError(f"{KEY} must be a source such as 'timm/resnet50d', or a dict that has one, got {given!r:.80}")
    for name in options:
        check_name(KEY, name, OPTIONS)
    check_how(options)
    if not re.fullmatch(r"\w[\w.-]*", options.get("name", "x"), re.ASCII):
        raise ValueError(f"--row {options['name']!r} must consist of letters, digits, '_', '.' and '-'")
    return options


def check_how(said: Mapping[str, Any]) -> None:
    """Raise ValueError for a channel order or an interpolation that is not known."""
    for name, known in HOW.items():
        check_name(f"{KEY}.{name}", said.get(name, known[0]), known)


def name_of(given: Any) -> str:
    """What weights are called in the name of a run: their `name`, or their source's last words."""
    options = options_of(given)
    source = options["source"]
    path = Path(source.removeprefix(FOLDER)).absolute()
    last = path.stem if path.suffix in WEIGHTS else path.name
    short = source if source.startswith((TIMM, TORCHVISION)) or CLASS.fullmatch(source) else last
    return options.get("name") or re.sub(r"[^\w.-]+", "_", short).strip("_.-")


def found(options: dict[str, Any]) -> Given:
    """What the options name; read once."""
    return find_once(options["source"], options.get("arch"))


find_once = cache(find)  # a run asks for it in its plan, its Config, and its model


def start(cfg: Config, given: Any) -> None:
    """Let a recipe start from weights. Raises ValueError or FileNotFoundError for those that cannot be used."""
    options = options_of(given)
    of = found(options)
    backbone = dict(of.backbone)
    if "zero_gamma" in signature(registered(backbone["type"])).parameters:  # the trick's slot
        backbone["zero_gamma"] = cfg.model.backbone.get("zero_gamma", False)
    cfg.model.backbone = backbone
    scaler = cfg.model.data_preprocessor
    scaler.mean, scaler.std = feeding(of.source, *(options.get(key) or getattr(of, key) for key in FEEDS))
    said = {key: options.get(key) or getattr(of, key) for key in (*HOW, "sha256", LICENCE)}
    check_how(said)
    if said["channel_order"] == "bgr":
        scaler.bgr = True
    cfg.model.given = {key: value for key, value in options.items() if key not in FEEDS} | said


def match(cfg: Config) -> None:
    """Choose the given head's outputs for the data's classes, in a resolved Config; if none fits, nothing is scored."""
    data, given = cfg.val_dataloader.dataset, cfg.model.given
    folders = [folder.name for folder in subfolders(place_of(data.root, data.split))]
    try:
        given.outputs = outputs_for(folders, given, data.crop.size_px)
    except ValueError as error:
        print(f"not scored: {error}", file=sys.stderr)
        cfg.val_evaluator = cfg.val_dataloader = cfg.val_cfg = None


@torch.inference_mode()
def outputs_for(classes: Sequence[str], given: dict[str, Any], px: int) -> list[int]:
    """The given head's outputs for some classes, by name or, where names are not known, by their number.

    Raises ValueError where there is none.
    """
    of, head = found(given), whole(given)
    if classes and set(classes) <= set(of.classes):
        return list(map(of.classes.index, classes))
    count = head(torch.zeros(1, 3, px, px)).shape[1]
    if of.classes or count != len(classes):
        raise ValueError(f"{of.source} has a head for {count:,} other classes than the {len(classes):,} of the data")
    return list(range(count))


def whole(given: dict[str, Any]) -> nn.Module:
    """The given classifier: normalised images (N, 3, H, W) -> logits (N, K). Raises ValueError where there is none."""
    of = found(given)
    if of.whole is None:
        raise ValueError(f"{of.source} has no head")
    try:
        return of.whole(part=given.get("part", "")).eval().requires_grad_(False)
    except ValueError as error:  # of the backbone, of which `put` tells; or of the head alone
        raise ValueError("the given head cannot be read whole") from error


def feed(cfg: Config) -> None:
    """Let images be resized as the given weights saw them; not part of what makes two scores comparable."""
    for dataset in (cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset):
        if cfg.model.given.interpolation != "bilinear":
            dataset.crop.interpolation = cfg.model.given.interpolation


def put(given: dict[str, Any], backbone: Backbone) -> str:
    """Load given weights into a backbone; prints and returns what of them arrived. Raises ValueError for misfits."""
    of, report = found(given), ["it has no weights, and keeps its own start"]
    if of.held is not None:
        fitted = fit(of.held, of.source, backbone, **{key: given[key] for key in FITS if key in given})
        load_strictly(backbone, fitted.trunk, of.source)
        report = list(fitted.report)
    print(*(f"{of.source}: {line}" for line in report), sep="\n", file=sys.stderr)
    return "; ".join(report)


class Head:
    """The given classifier, for scoring alone. It is no nn.Module, so that nothing saves or trains it."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.model = laid_out(whole(given))
        self.outputs = given["outputs"]

    def logits(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> logits (N, K) of the data's classes."""
        return self.model.to(images.device)(images)[:, self.outputs]
