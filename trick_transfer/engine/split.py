"""One split of a data set on disk: the expected number of samples, the samples found, and a check of each.

Each stage has the layouts that it reads. `reader()` returns a function that reads one sample as training does, so that
what passes the check can be trained on. Readers are imported late, as mmdet and mmseg take seconds.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

Reader = Callable[[Any], Iterable[str]]
MADE_UP_PX = ((375, 500), (500, 375), (333, 500))  # heights and widths: ImageNet's and VOC's most common ones
TRAINING = ("train", "trainval", "training")  # the data sets' names for it
MADE_UP_SAMPLES = 4  # of a split whose classes have no folders
LISTED = 3  # problems in an error's one line


class Split(ABC):
    """`images` samples of a data set, under `name`. None, as in `own`: as many as there are."""

    name: str
    images: int | None
    labelled = True

    def own(self) -> Self:
        """The same layout with images and classes of the user's own: as many as there are."""
        numbers = {each.name: None for each in fields(self) if each.name in ("images", "classes")}  # type: ignore[arg-type]
        return replace(self, **numbers)  # type: ignore[type-var]

    @property
    def trains(self) -> bool:
        """Whether a stage is trained on it."""
        return self.name.split()[-1] in TRAINING

    @abstractmethod
    def samples(self, root: Path) -> tuple[list, list[str]]:
        """The samples found, and problems that show without reading them, one line each."""

    @abstractmethod
    def reader(self) -> Reader:
        """sample -> the classes it shows; raises ValueError or OSError for a broken sample."""

    @abstractmethod
    def make_up(self, root: Path) -> None:
        """Write a few made-up samples, so that the real loaders can be tested without the data."""

    def labels(self, root: Path) -> set[str]:
        """The classes that have a folder, even an empty one; no classes for a layout without class folders."""
        return set()

    def empty(self, seen: set[str]) -> list[str]:
        """The classes that no sample shows, for a layout in which that is not an error already."""
        return []


def wrong_count(what: str, found: int, expected: int | None) -> list[str]:
    """One line if a count is wrong."""
    return [] if expected in (found, None) else [f"{what}: {found:,}, expected {expected:,}"]


def refuse(problems: Sequence[str], fix: str) -> None:
    """Raise ValueError of one line if there are problems: the first ones, the number of the others, and the fix."""
    if problems:
        others = f" (and {len(problems) - LISTED:,} more)" if len(problems) > LISTED else ""
        raise ValueError(f"{'; '.join(problems[:LISTED])}{others}; {fix}")


def size_px(number: int) -> tuple[int, int]:
    """Height and width of a made-up image."""
    return MADE_UP_PX[number % len(MADE_UP_PX)]


def write_image(path: Path, size_px: tuple[int, int], pixels: np.ndarray | None = None) -> None:
    """Write (H, W) or (H, W, 3) pixels as JPEG or PNG; without pixels, coarse noise of this size."""
    if pixels is None:
        coarse = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
        pixels = cv2.resize(coarse, size_px[::-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)
