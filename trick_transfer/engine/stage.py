"""A stage as one object: all that runs, leaderboard and page need to know about a task.

A new task is a package whose `stage.py` makes one of these, and a line in `trick_transfer/stages.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config

from .batch import Batch
from .details import Details
from .layers import Layers
from .pictures import Seen
from .source import Format, Found, Sample, lacking
from .split import Split

Arrays = dict[str, np.ndarray]


class Metric(NamedTuple):
    """A column of the leaderboard, in percent."""

    name: str
    label: str
    better: str = "higher"  # or "lower"
    required: bool = False  # every result of the stage has it
    headline: bool = False  # the paper's; README and the overviews show these
    verifiable: bool = True  # can be recomputed from the stored outputs
    measure: str = ""  # what it measures, where several protocols of a stage measure it in metrics of their own


@dataclass(frozen=True)
class Outputs:
    """A run's images, and its metrics as a function of weights: (images, rounds) -> percents (rounds,) by name."""

    images: np.ndarray  # identifies them: names, ids, or in classification the labels in order
    score: Callable[[np.ndarray], Arrays]
    details: Details = Details()  # added by who knows the run's config

    @property
    def key(self) -> str:
        """Equal for runs scored on the same images."""
        return sha256("\n".join(map(str, self.images)).encode()).hexdigest()

    @cached_property
    def metrics(self) -> dict[str, float]:
        """Over all images, each once."""
        return {name: float(values[0]) for name, values in self.score(np.ones((len(self.images), 1))).items()}


class Prediction(NamedTuple):
    """What a model says of one image, for a file that other programs read."""

    facts: dict[str, Any] = {}  # of the image, as plain data
    boxes: list[dict[str, Any]] = []  # as COCO's annotations
    mask: np.ndarray | None = None  # (H, W) uint8 of classes from 0


class Stage(ABC):
    """What differs between stages; all other code treats them alike."""

    name: str
    metrics: tuple[Metric, ...]
    data_set: str  # the paper's, by its name in trick_transfer/data_sets/sources.py
    protocols: tuple[str, ...] = ()  # the first is the paper's; none: the protocol is the data set's
    authors: str | None = None  # of these, what the paper's authors' code does
    trains_backbone: bool = False  # the other stages fine-tune it
    like: str | None = None  # the stage whose data of the user's own it takes where a tier names none for it
    optional: bool = False  # it runs only where it is asked for
    plain_protocol: str | None = None  # of these, the one that OpenMMLab's own library can run, see `plain`
    hub_task: str | None = None  # the Hugging Face hub's word for the task

    # Config

    @abstractmethod
    def draft(self, name: str, sets: dict[str, Any]) -> Layers:
        """A recipe or protocol for the paper tier, with the user's settings that `is_early`. Raises ValueError."""

    def is_early(self, key: str) -> bool:
        """Whether a setting is needed to make the draft; all others are set after the tier."""
        return False

    @abstractmethod
    def root(self, cfg: Config) -> Path:
        """The data's folder."""

    @abstractmethod
    def place(self, cfg: Config, root: Path) -> None:
        """Set the data's folder."""

    def check(self, cfg: Config) -> None:  # noqa: B027  a stage may have nothing to add
        """Raise ValueError for values that cannot be trained, beside the numbers in `engine.ranges`."""

    @abstractmethod
    def connect(self, cfg: Config, card: Any) -> None:
        """Fill in an earlier run's backbone or teacher (a backbones.card.Card). Raises ValueError for a misfit."""

    def start(self, cfg: Config, given: Any) -> None:
        """Let training start from weights from elsewhere, or leave it out. Raises ValueError where it cannot."""
        raise ValueError(f"{self.name} starts from a card; leave out given={given!r:.80}")

    def protocol(self, cfg: dict[str, Any]) -> dict[str, Any]:
        """The part of a Config, as plain data, that must be equal for two results to be compared."""
        return cfg

    def data_name(self, cfg: Config) -> str:
        """The data set that a Config reads."""
        return self.data_set

    # training

    @abstractmethod
    def check_data(self, cfg: Config, training: bool = True) -> None:
        """Raise FileNotFoundError or ValueError for data that is missing or not what the Config expects.

        Without `training` only what is scored has to be there.
        """

    def check_own_data(self, cfg: Config, known: Sequence[Split]) -> None:  # noqa: B027  not all have to
        """Look into each file of data that are not the `known` ones. Raises ValueError for all that cannot be read."""

    def training_images(self, cfg: Config) -> int | None:
        """The number that the Config states; None: the data set's own number."""
        return None

    def frozen_norms(self, cfg: Config) -> bool:
        """Whether all batch norms use what pre-training counted, not the batch."""
        return False

    @abstractmethod
    def global_batch(self, cfg: Config) -> int:
        """Images per update, over all devices."""

    @abstractmethod
    def finish(self, cfg: Config, batch: Batch) -> None:
        """Turn what the recipe or protocol states into what a Runner reads, for a batch split over devices."""

    def as_scored(self, cfg: Config) -> Any:
        """The Config of the training images as the scored ones are read; `finish` was called. Raises ValueError."""
        raise ValueError(f"{self.name} cannot hold out training images; leave out --held-out")

    def arrived(self, model: Any, card: Any) -> dict[str, float]:
        """arrived_percent and feature_error: how much of the card is in a new model, before training."""
        return {}

    def leave(self, model: Any, cfg: Config, folder: Path, metrics: dict[str, float], **about: Any) -> dict[str, Any]:
        """Export what later stages need to a folder; returns fields of the result, and may add to `metrics`."""
        return {}

    def plain(self, cfg: Config, weights: Path) -> Config:
        """The Config of `plain_protocol` without a part of ours. Raises ValueError for a network that they lack."""
        raise NotImplementedError  # a stage that has a plain_protocol has it

    # data of the user's own, see engine/source.py

    mend_lacking: str = ""  # what mends a class that a split lacks, beside what is usual
    formats: Mapping[str, Format] = {}  # by name; the first parameter is the folder, the others are a tier's options

    def recognise(self, folder: Path) -> str | None:
        """The format that a folder (or file) seems to have, by its names alone; None for one that no format reads."""
        return None

    def shown_classes(self, sample: Sample, classes: Sequence[str]) -> Iterable[str]:
        """Those of a sample's classes that train and are scored."""
        raise NotImplementedError  # a stage that has formats has it

    def lacking(self, found: Found) -> list[str]:
        """A problem for each class that no image of a split shows."""
        return lacking(found, self.shown_classes, self.mend_lacking)

    def lay_out(self, found: Found, root: Path) -> None:
        """Write samples, whose splits are known, into an empty folder as training reads them; images are links."""
        raise NotImplementedError  # a stage that has formats has it

    def own_splits(self, classes: Sequence[str]) -> tuple[Split, ...]:
        """What `lay_out` writes, of any number of images: that of SPLITS in order, for a check of each file."""
        raise NotImplementedError

    def adopt(self, cfg: Config, name: str, classes: Sequence[str], counts: Mapping[str, int]) -> None:
        """Set what depends on own data: their name, the classes, images by split; not the folder."""
        raise NotImplementedError

    def show(self, sample: Sample, classes: Sequence[str]) -> np.ndarray:
        """A sample with its truth drawn on it, RGB (HEIGHT_PX, W, 3), for a contact sheet."""
        raise NotImplementedError

    # outputs and pictures

    @abstractmethod
    def outputs(self, arrays: Arrays) -> Outputs:
        """The arrays of `outputs.npz` as metrics of weighted images. Raises LookupError or ValueError for others."""

    def details(self, arrays: Arrays, config: Mapping[str, Any]) -> Details:
        """What else the arrays tell of all images; the run's `config` may name the classes. Raises as `outputs`."""
        return Details()

    @abstractmethod
    def shown(self, sample: Any, found: Any) -> np.ndarray:
        """The image of a validation sample, RGB (H, W, 3) in uint8, to draw the model's prediction on."""

    @abstractmethod
    def draw(self, picture: np.ndarray, found: Any, classes: Sequence[str]) -> np.ndarray:
        """An image in any size, RGB (H, W, 3), with the model's prediction drawn on it."""

    # images of the user's own, without truth

    def classes(self, cfg: Config) -> Sequence[str]:
        """The names of what a model tells apart, in the order of their numbers."""
        raise NotImplementedError  # a stage that has a feeder has it

    def feeder(self, cfg: Config) -> Callable[[Path], Any]:
        """What makes of an image file the sample that validation would make of it, as stored; it raises ValueError."""
        raise NotImplementedError(f"{self.name} reads no images without their truth")

    def predicted(self, found: Any, classes: Sequence[str]) -> Prediction:
        """A model's prediction as plain data."""
        raise NotImplementedError  # a stage that has a feeder has it

    def seen(self, arrays: Arrays, config: dict[str, Any]) -> Seen | None:
        """The predictions in `outputs.npz` on some images, for the page; None where a stage has no pictures.

        Raises KeyError for outputs that hold none.
        """
        return None
