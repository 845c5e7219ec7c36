"""What a run's outputs tell beside its metrics: by class, which classes are confused, and curves."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

ALL_CLASSES = "mean of all classes"  # name of a curve
IMAGES, PIXELS = "images", "pixels"


@dataclass(frozen=True)
class Details:
    """Of one run; empty for a task that has none of it."""

    measure: str = ""  # what `classes` holds
    classes: dict[str, float] = field(default_factory=dict)  # percent, without classes that do not occur
    confusion: tuple[tuple[str, str, int], ...] = ()  # (true class, predicted class, number), the most frequent first
    axes: tuple[str, str] = ("", "")
    curves: dict[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)  # (x, y) from 0 to 1; whole first
    counted: str = IMAGES  # in `confusion`


def name_of(names: Sequence[str], label: int) -> str:
    """A class's name, or its number where it is not known."""
    return str(names[label]) if label < len(names) else f"class {label}"


def as_points(x: np.ndarray, y: np.ndarray) -> tuple[tuple[float, float], ...]:
    """A curve of Details."""
    return tuple(zip(x.tolist(), y.tolist(), strict=True))
