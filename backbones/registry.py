"""The scope `backbones`: any mmengine config may say `type="backbones.ResNet"` with no custom import."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from mmengine.registry import MODELS as ROOT
from mmengine.registry import Registry
from torch import nn

from trick_transfer.engine.values import check_name

from .base import Backbone

PLACES = ["backbones.resnet", "backbones.timm_adapter", "backbones.given.imports"]
MODELS = Registry("model", parent=ROOT, scope="backbones", locations=PLACES)
TIMM = "timm/"


def by_name(name: str) -> dict[str, Any]:
    """The config of `timm/NAME`. Raises ValueError for any other name."""
    if not name.startswith(TIMM):
        raise ValueError(f"backbone {name!r} does not exist; use {TIMM}NAME or dict(type=...)")
    return dict(type="backbones.Timm", model=name.removeprefix(TIMM), zero_gamma=False)  # the trick's slot


def name_of(config: Mapping[str, Any]) -> str:
    """What a backbone is called in a message."""
    return TIMM + config["model"] if "model" in config else config["type"]


def check_size(config: Mapping[str, Any], height_px: int, width_px: int) -> None:
    """Raise ValueError unless a backbone, stem included, accepts images of a size. As cheap as `sketch`."""
    net = sketch(config)
    try:
        look_once(net, height_px, width_px)
    except (AssertionError, RuntimeError, ValueError) as error:
        if isinstance(error, NotImplementedError) or "meta tensors" in str(error):
            return  # not a refusal: the network reads values, which a sketch does not have
        why = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        raise ValueError(
            f"{name_of(config)} does not accept images of {height_px} x {width_px} px ({why}); if timm has an option "
            "for other sizes, set it in a recipe: options=dict(img_size=...) or dict(dynamic_img_size=True); for given "
            "weights, in model_args of their folder's config.json"
        ) from error


def sketch(config: Mapping[str, Any]) -> Backbone:
    """A backbone without arrays, in evaluation mode, cached: takes no memory. Raises ValueError for refused options."""
    options = {key: value for key, value in config.items() if key not in ("type", "weights", "sha256")}
    try:
        return build_once(config["type"], json.dumps(options))
    except ValueError:
        raise
    except Exception as error:  # timm's networks refuse options in many ways
        why = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"{config['type']} does not take {str(options):.200}: {why}") from error


def registered(name: str) -> type[Backbone]:
    """A backbone's class. Raises ValueError for a name that is not registered, which mmengine would import and run."""
    MODELS.import_from_location()
    known = {f"{MODELS.scope}.{short}": kind for short, kind in MODELS.module_dict.items()}
    check_name("backbone", name, known)
    return known[name]


@cache  # a plan of sixty runs asks for the same few networks
def build_once(name: str, options: str) -> Backbone:
    """A network with `options` (JSON) on torch's meta device. Raises what its class raises."""
    with torch.device("meta"):
        return registered(name)(**json.loads(options)).eval()


@cache
@torch.no_grad()
def look_once(net: nn.Module, height_px: int, width_px: int) -> None:
    """Run one image through a sketch. Raises what its layers raise."""
    net(torch.zeros(1, 3, height_px, width_px, device="meta"))
