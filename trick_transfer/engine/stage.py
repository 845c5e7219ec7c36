"""A stage as one object: all that runs, leaderboard and page need to know of a task.

A new task is a package whose `stage.py` makes one of these, and a line in `trick_transfer/stages.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .pictures import Seen

Arrays = dict[str, np.ndarray]


class Metric(NamedTuple):
    """A column of the leaderboard, in percent."""

    name: str
    label: str
    better: str = "higher"  # or "lower"
    required: bool = False  # every result of the stage has it
    headline: bool = False  # the paper's; README and the overviews show these
    verifiable: bool = True  # the stored outputs give it again


@dataclass(frozen=True)
class Outputs:
    """A run's images, and its metrics as a function of weights: (images, rounds) -> percents (rounds,) by name."""

    images: np.ndarray  # what identifies them: names, ids, or in classification the labels in order
    score: Callable[[np.ndarray], Arrays]
    classes: dict[str, float]  # IoU in percent by class, where the task has it

    @property
    def key(self) -> str:
        """Equal for runs scored on the same images."""
        return sha256("\n".join(map(str, self.images)).encode()).hexdigest()

    def metrics(self) -> dict[str, float]:
        """The metrics over all images."""
        return {name: float(values[0]) for name, values in self.score(np.ones((len(self.images), 1))).items()}


class Stage(ABC):
    """What differs between stages; everything else treats them alike."""

    name: str
    metrics: tuple[Metric, ...]
    protocols: tuple[str, ...] = ()  # the first is the paper's; none: the protocol is the data set's
    trains_backbone: bool = False  # the other stages fine-tune it

    @abstractmethod
    def outputs(self, arrays: Arrays) -> Outputs:
        """What `outputs.npz` holds, as metrics of weighted images. Raises LookupError or ValueError for others."""

    def seen(self, outputs: Path, data_root: Path, config: dict[str, Any]) -> Seen | None:
        """Some images with this run's predictions, for the page; None where a stage has no pictures.

        Raises KeyError for outputs that hold none, FileNotFoundError where the data are missing.
        """
        return None
