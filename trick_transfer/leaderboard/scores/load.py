"""A run with its metrics over all images and over resampled ones."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from trick_transfer.engine.stage import Arrays
from trick_transfer.runs.result import Result
from trick_transfer.runs.store import Stored

from ..statistics.bootstrap import resample
from .audit import audit


@dataclass(frozen=True, eq=False)
class Scored:
    """A stored run and its metrics in percent; without outputs, `rounds` is empty and `images` is "" ."""

    stored: Stored
    points: dict[str, float]  # over all images
    rounds: Arrays = field(default_factory=dict)  # (ROUNDS,) by metric, over resampled images
    images: str = ""  # equal: scored on the same images
    classes: dict[str, float] = field(default_factory=dict)

    @property
    def result(self) -> Result:
        """What the run reports."""
        return self.stored.result


def load_all(stored: Iterable[Stored]) -> tuple[list[Scored], list[str]]:
    """All runs that their outputs do not contradict, and one line for each that is left out or has no outputs."""
    runs: list[Scored] = []
    problems: list[str] = []
    for each in stored:
        outputs, faults = audit(each.result, each.outputs)
        if outputs:
            points = outputs.metrics() | each.result.metrics
            runs.append(Scored(each, points, resample(outputs), outputs.key, outputs.classes))
        elif each.outputs.is_file():
            problems += [f"left out: {fault}" for fault in faults]
        else:
            runs.append(means_only(each))
            problems += [f"{fault} (so no interval)" for fault in faults]
    return runs, problems


def means_only(stored: Stored) -> Scored:
    """A run whose outputs are not read."""
    return Scored(stored, stored.result.metrics)


def by_backbone(runs: Sequence[Scored], metric: str) -> list[list[Scored]]:
    """The runs that have a metric; those fine-tuned from one backbone, together."""
    grouped = defaultdict(list)
    for run in runs:
        if metric in run.points:
            grouped[run.stored.own, run.result.backbone_seed].append(run)
    return list(grouped.values())
