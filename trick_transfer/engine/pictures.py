"""Predictions as pictures: drawn on RGB arrays (H, W, 3) uint8 for a tracker; as small data URIs for the page."""

import colorsys
import io
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from .files import brief

HEIGHT_PX, LETTER_PX = 192, 13  # of a small drawing, and of what is written in it
GREEN, WHITE, BLACK = (0, 200, 80), (255, 255, 255), (0, 0, 0)
IMAGES = 6  # that a page shows of each stage
LONGER_SIDE_PX = 320
IGNORED = 255  # a mask's pixels without class; mmseg's `ignore_index`


class Seen(NamedTuple):
    """A model's predictions on some images: lists of boxes, or masks as data URIs.

    `truth` and `turned` get the data's files by their paths in the manifest, and an image's place. A truth's form is a
    prediction's; `turned` tells whether both belong to the image as EXIF turns it.
    """

    names: list[str]
    found: list[Any]
    classes: list[str]
    images: list[str]  # paths in the manifest, without suffix
    truth: Callable[[Mapping[str, Path], int], Any]
    turned: Callable[[Mapping[str, Path], int], bool] = lambda files, place: False


@contextmanager
def opened(path: str | Path) -> Iterator[Image.Image]:
    """An image file. Whatever Pillow raises until it is closed becomes a ValueError of one line that names the file."""
    try:
        with Image.open(path) as image:
            yield image
    except Exception as fault:  # of damaged files it raises what it likes: OSError, SyntaxError, struct.error, ...
        raise ValueError(f"{path} cannot be drawn: {brief(fault)}") from None


def stored(path: str | Path) -> np.ndarray:
    """An image file as it is stored."""
    with opened(path) as file:
        return np.asarray(file.convert("RGB"))


def fit(image: np.ndarray) -> np.ndarray:
    """Resize an image to the common height."""
    return cv2.resize(image, (max(1, round(image.shape[1] * HEIGHT_PX / len(image))), HEIGHT_PX))


def letter_px(picture: np.ndarray) -> int:
    """The size of letters that can be read when a picture fills a screen."""
    return max(LETTER_PX, len(picture) // 32)


def cover(image: np.ndarray, mask: np.ndarray, classes: int) -> np.ndarray:
    """Cover an image with one half-transparent colour per class, of evenly spaced hues; IGNORED pixels stay."""
    hue = (mask.astype(np.float32) * 180 / max(classes, 1)).astype(np.uint8)
    colours = cv2.cvtColor(np.dstack([hue, np.full_like(hue, 200), np.full_like(hue, 230)]), cv2.COLOR_HSV2RGB)
    return np.where(mask[..., None] == IGNORED, image, cv2.addWeighted(image, 0.5, colours, 0.5, 0))


def name_areas(picture: np.ndarray, mask: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Write each class's name, in place, where its part of a mask is widest, if a letter fits there."""
    fitted = cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    for number in np.unique(fitted[fitted != IGNORED]):
        room = cv2.distanceTransform(np.pad(fitted == number, 1).astype(np.uint8), cv2.DIST_L2, 3)  # also to the edges
        y, x = (int(each) for each in np.unravel_index(room.argmax(), room.shape))
        if room[y, x] >= (size := letter_px(picture)) / 2:
            write(picture, classes[number], (max(0, x - size * len(classes[number]) // 4), y))
    return picture


def frame(picture: np.ndarray, corners: Sequence[int], text: str) -> None:
    """Draw a box x1, y1, x2, y2 with its label, in place."""
    x1, y1, x2, y2 = corners
    size = letter_px(picture)
    cv2.rectangle(picture, (x1, y1), (x2, y2), GREEN, size // LETTER_PX)
    write(picture, text, (x1 + 2, y1 + size - 1))


@cache
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """One that matplotlib brings; OpenCV's and Pillow's own have no letters beyond ASCII."""
    import matplotlib  # late: it takes a while

    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf"), size_px)


def write(picture: np.ndarray, text: str, place: tuple[int, int] | None = None) -> np.ndarray:
    """Write white letters with a dark edge, in place; by default into the upper left corner."""
    size = letter_px(picture)
    drawn = Image.fromarray(picture)
    pen = ImageDraw.Draw(drawn)
    pen.text(place or (4, size + 1), text, WHITE, font(size), anchor="ls", stroke_width=1, stroke_fill=BLACK)
    picture[:] = np.asarray(drawn)
    return picture


def spread(images: int, most: int = IMAGES) -> list[int]:
    """Positions of at most so many images, evenly over all: not chosen."""
    return np.linspace(0, images - 1, min(most, images)).round().astype(int).tolist()


def photo(path: Path, turned: bool = False) -> dict[str, Any]:
    """A picture, as stored or `turned` by EXIF, as a small JPEG with its original size.

    Raises ValueError for a file that cannot be read.
    """
    with opened(path) as stored:
        image = ImageOps.exif_transpose(stored) if turned else stored
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
