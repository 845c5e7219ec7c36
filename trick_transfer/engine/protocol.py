"""A frozen protocol is a file of plain data beside its stage's config.py."""

from collections.abc import Sequence
from difflib import get_close_matches
from math import ceil
from pathlib import Path
from typing import Any

from mmengine.config import Config

PHOTO_PX = (333, 500)  # height and width that many of VOC's have; what they are resized to is odd


def read_protocol(folder: Path, name: str, known: Sequence[str]) -> Config:
    """The protocol as written. Raises ValueError with the nearest names for one that does not exist."""
    if name not in known:
        near = get_close_matches(name, known, cutoff=0)
        raise ValueError(f"{folder.name} protocol {name!r} does not exist; did you mean {' or '.join(near)}?")
    return Config.fromfile(folder / f"{name}.py")


def photo_px(pipeline: Sequence[Any], divisor: int = 1) -> tuple[int, int]:
    """Height and width that such a photo has when it reaches the network, padded to multiples of `divisor`."""
    (scale,) = (step.scale for step in pipeline if step.type == "Resize")
    factor = min(most / side for most, side in zip(sorted(scale), PHOTO_PX, strict=True))
    height, width = (ceil(round(side * factor) / divisor) * divisor for side in PHOTO_PX)
    return height, width
