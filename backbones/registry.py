"""The scope `backbones`: any mmengine config may say `type="backbones.ResNet"` with no custom import."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from mmengine.registry import MODELS as ROOT
from mmengine.registry import Registry
from torch import nn

from .base import Backbone

MODELS = Registry("model", parent=ROOT, scope="backbones", locations=["backbones.resnet", "backbones.timm_adapter"])
TIMM = "timm/"


def by_name(name: str) -> dict[str, Any]:
    """`timm/NAME` written out as a config. Raises ValueError for another name."""
    if not name.startswith(TIMM):
        raise ValueError(f"backbone {name!r} does not exist; name one as {TIMM}NAME, or write out its dict(type=...)")
    return dict(type="backbones.Timm", model=name.removeprefix(TIMM), zero_gamma=False)  # the slot of that trick


def check_options(config: Mapping[str, Any]) -> None:
    """Raise ValueError unless a backbone can be built so, its weights apart. Takes no memory and no arithmetic."""
    sketch(config)


def check_size(config: Mapping[str, Any], height_px: int, width_px: int) -> None:
    """Raise ValueError unless a backbone, its stem included, takes images of a size. As cheap as `check_options`."""
    net = sketch(config)
    try:
        look_once(net, height_px, width_px)
    except (AssertionError, RuntimeError, ValueError) as error:
        if isinstance(error, NotImplementedError) or "meta tensors" in str(error):
            return  # not the network's no: it asks for numbers, which a sketch has none of
        name = TIMM + config["model"] if "model" in config else config["type"]
        why = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        raise ValueError(
            f"{name} takes no images of {height_px} x {width_px} px ({why}); timm's option for other sizes, where it "
            "has one, goes into a recipe: options=dict(img_size=...) or dict(dynamic_img_size=True)"
        ) from error


def sketch(config: Mapping[str, Any]) -> Backbone:
    """A backbone without its arrays, in evaluation mode; the same one for the same config. Raises ValueError."""
    options = {key: value for key, value in config.items() if key not in ("type", "weights", "sha256")}
    try:
        return build_once(config["type"], json.dumps(options))
    except TypeError as error:
        raise ValueError(f"{config['type']} does not take {options}: {error}") from error


@cache  # a plan of sixty runs asks for the same few networks
def build_once(kind: str, options: str) -> Backbone:
    """A network of `options` (JSON) on the device that holds no numbers. Raises what its class raises."""
    with torch.device("meta"):
        return MODELS.get(kind)(**json.loads(options)).eval()


@cache
@torch.no_grad()
def look_once(net: nn.Module, height_px: int, width_px: int) -> None:
    """One image through a sketch. Raises what its layers raise."""
    net(torch.zeros(1, 3, height_px, width_px, device="meta"))
