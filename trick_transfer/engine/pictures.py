"""Pictures small enough to embed in a page: photos as JPEG, masks as PNG, both as data URIs."""

import colorsys
import io
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

IMAGES = 6  # that a page shows of each stage
LONGER_SIDE_PX = 320
IGNORED = 255  # a mask's pixels without class


@dataclass(frozen=True)
class Seen:
    """A model's predictions on some images, and the truth: lists of boxes, or masks as data URIs."""

    names: list[str]
    found: list[Any]
    truth: list[Any]
    classes: list[str]
    folder: Path  # holds <name>.jpg


def spread(images: int) -> list[int]:
    """Positions of IMAGES images, evenly over all: not chosen."""
    return np.linspace(0, images - 1, min(IMAGES, images)).round().astype(int).tolist()


def photo(path: Path) -> dict[str, Any]:
    """A picture as a small JPEG, with its original size."""
    with Image.open(path) as image:
        width, height = image.size
        small = image.convert("RGB")
    small.thumbnail((LONGER_SIDE_PX, LONGER_SIDE_PX))
    return {"name": path.stem, "width": width, "height": height, "source": uri(small, "jpeg", quality=75)}


def png(mask: np.ndarray) -> str:
    """A mask (H, W) uint8 of classes as a small PNG with a palette; IGNORED is transparent."""
    image = Image.fromarray(mask)
    image.thumbnail((LONGER_SIDE_PX, LONGER_SIDE_PX), Image.Resampling.NEAREST)
    image.putpalette([part for label in range(IGNORED + 1) for part in rgb(label)])
    return uri(image, "png", optimize=True, transparency=IGNORED)


def uri(image: Image.Image, kind: str, **options: Any) -> str:
    """An image as a data URI."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return f"data:image/{kind};base64,{b64encode(file.getvalue()).decode()}"


def rgb(label: int) -> tuple[int, ...]:
    """A class's colour: neighbours differ by the golden angle of hue, and in lightness."""
    hue, lightness = label * 0.618034 % 1, (0.42, 0.56, 0.7)[label % 3]
    return tuple(round(255 * part) for part in colorsys.hls_to_rgb(hue, lightness, 0.65))
