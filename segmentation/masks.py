"""Index masks: which raw value is which class. ADE20K's 0 is "other", which is ignored, and raw k is class k - 1."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trick_transfer.engine.images import opened
from trick_transfer.engine.pictures import IGNORED

READING = ("first_class", "ignore")  # in a data set's Config


class Ids(NamedTuple):
    """The raw value of class 0, and the one that means no class, if there is one."""

    first: int = 1
    ignore: int | None = 0

    @classmethod
    def of(cls, dataset: Mapping[str, Any]) -> "Ids":
        """As a data set's Config says by `first_class` and `ignore`. Raises ValueError for what no mask can mean."""
        first = dataset.get("first_class", cls().first)
        ignore = dataset.get("ignore", cls().ignore if first else None)
        if first not in (0, 1) or not (ignore is None or (isinstance(ignore, int) and 0 <= ignore <= 255)):
            raise ValueError(f"first_class must be 0 or 1 and ignore 0 to 255 or None, got {first!r} and {ignore!r}")
        return cls(first, ignore)

    def fit(self, num_classes: int) -> None:
        """Raise ValueError where a class has the value that means no class."""
        values = range(self.first, self.first + num_classes)
        if self.ignore in values:
            raise ValueError(
                f"ignore={self.ignore} is the value of a class, too: the {num_classes} classes of metainfo have "
                f"{values[0]} to {values[-1]}; name those alone that are scored"
            )

    def check(self, raw: np.ndarray, num_classes: int, path: str | Path) -> None:
        """Raise ValueError for a value that means neither a class nor none."""
        known = {*range(self.first, self.first + num_classes), *([] if self.ignore is None else [self.ignore])}
        low, high = min(known), max(known)
        gapless = len(known) == high - low + 1
        if gapless and low <= raw.min() and raw.max() <= high:  # fast, as every mask is looked at
            return
        if wrong := sorted(set(np.unique(raw).tolist()) - known):
            expected = (
                f"{low} to {high}" if gapless else f"{self.first} to {self.first + num_classes - 1} or {self.ignore}"
            )
            raise ValueError(f"mask {path} holds {wrong[0]}; expected {expected}")

    def classes(self, raw: np.ndarray) -> np.ndarray:
        """(H, W) raw values that `check` accepts -> uint8 classes from 0, IGNORED where there is none."""
        found = raw.astype(np.uint8) - np.uint8(self.first)
        if (self.first, self.ignore) != (1, 0):  # there 0 wraps round to 255, which is IGNORED
            found[raw == self.ignore] = IGNORED
        return found


def read_mask(path: str | Path, size_px: tuple[int, int]) -> np.ndarray:
    """Raw values as stored, of its image's height and width. Raises ValueError that names the file."""
    raw = stored_mask(path)
    if raw.shape != tuple(size_px):
        shape = " x ".join(map(str, raw.shape))
        raise ValueError(f"mask {path} is {shape}, its image {size_px[0]} x {size_px[1]}")
    return raw


def stored_mask(path: str | Path, mode: str | None = None) -> np.ndarray:
    """Raw values (OpenCV would turn a palette's indices into colours), or in a mode of Pillow's, such as "RGB".

    Raises ValueError that names the file.
    """
    try:
        with opened(path) as image:
            if image.format == "JPEG":
                raise ValueError(f"mask {path} is a JPEG, which blurs values; store it as an index PNG")
            return np.asarray(image.convert(mode) if mode else image)
    except (OSError, SyntaxError) as error:  # Pillow raises SyntaxError for a broken PNG
        raise ValueError(f"mask {path} cannot be read: {error}") from error


def mask_mode(path: str | Path) -> str:
    """Pillow's word for what a mask's pixels are: "L", "P", "I;16", "RGB", ..."""
    with opened(path) as image:
        return image.mode
