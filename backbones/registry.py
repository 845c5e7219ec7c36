"""The scope `backbones`: any mmengine config may say `type="backbones.ResNet"` with no custom import."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from mmengine.registry import MODELS as ROOT
from mmengine.registry import Registry

MODELS = Registry("model", parent=ROOT, scope="backbones", locations=["backbones.resnet", "backbones.timm_adapter"])
TIMM = "timm/"


def by_name(name: str) -> dict[str, Any]:
    """`timm/NAME` written out as a config. Raises ValueError for another name."""
    if not name.startswith(TIMM):
        raise ValueError(f"backbone {name!r} does not exist; name one as {TIMM}NAME, or write out its dict(type=...)")
    return dict(type="backbones.Timm", model=name.removeprefix(TIMM), zero_gamma=False)  # the slot of that trick


def check_options(config: Mapping[str, Any]) -> None:
    """Raise ValueError unless a backbone can be built so, its weights apart. Takes no memory and no arithmetic."""
    options = {key: value for key, value in config.items() if key not in ("type", "weights", "sha256")}
    try:
        build_once(config["type"], json.dumps(options))
    except TypeError as error:
        raise ValueError(f"{config['type']} does not take {options}: {error}") from error


@cache  # a plan of sixty runs asks for the same few networks
def build_once(kind: str, options: str) -> None:
    """Build a network of `options` (JSON) without its arrays, once a process. Raises what its class raises."""
    with torch.device("meta"):
        MODELS.get(kind)(**json.loads(options))
