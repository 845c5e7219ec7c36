"""One split of a data set on disk: how many samples there must be, which are there, and what makes one sound.

Each stage has the layouts that it reads. `reader()` gives the function that looks at one sample: the training's own
reading, so that what passes here passes there. Readers are imported late, as mmdet and mmseg take seconds.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

Reader = Callable[[Any], Iterable[str]]
MADE_UP_PX = ((375, 500), (500, 375), (333, 500))  # heights and widths: ImageNet's and VOC's most common ones
MADE_UP_SAMPLES = 4  # of a split whose classes have no folders


class Split(ABC):
    """`images` samples of a data set, under `name`."""

    name: str
    images: int
    labelled = True

    @property
    def trains(self) -> bool:
        """Whether a stage is trained on it."""
        return False

    @abstractmethod
    def samples(self, root: Path) -> tuple[list, list[str]]:
        """The samples there, and what is wrong at sight, one line each."""

    @abstractmethod
    def reader(self) -> Reader:
        """sample -> the classes it shows; raises ValueError or OSError for what is wrong with it."""

    @abstractmethod
    def make_up(self, root: Path) -> None:
        """Write a few made-up samples, so that the real loaders can be tried where the data is not."""

    def labels(self, root: Path) -> set[str]:
        """The classes that have a folder, whatever is in it; empty for a layout without such folders."""
        return set()

    def empty(self, seen: set[str]) -> list[str]:
        """The classes that no sample shows, where a missing one is not an error already."""
        return []


def wrong_count(what: str, found: int, expected: int) -> list[str]:
    """One line if a number is wrong."""
    return [] if found == expected else [f"{what}: {found:,}, not {expected:,}"]


def size_px(number: int) -> tuple[int, int]:
    """Height and width of a made-up image."""
    return MADE_UP_PX[number % len(MADE_UP_PX)]


def write_image(path: Path, size_px: tuple[int, int], pixels: np.ndarray | None = None) -> None:
    """(H, W) or (H, W, 3) as JPEG or PNG; without pixels, coarse noise of a size."""
    if pixels is None:
        coarse = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
        pixels = cv2.resize(coarse, size_px[::-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)
