"""A run with its metrics over all images and resampled ones, from its stored outputs, without GPU or model."""

import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trick_transfer.engine.files import file_sha256
from trick_transfer.engine.stage import Arrays, Outputs
from trick_transfer.runs.result import Result
from trick_transfer.runs.store import Stored
from trick_transfer.stages import STAGES

from ..statistics.bootstrap import resample

TOLERANCE_PERCENT = 1e-4  # the detector's metric computes in single precision


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


def audit(result: Result, path: Path) -> tuple[Outputs | None, list[str]]:
    """A result's outputs, or None and one line for each fault; the file is read only if its hash is the result's."""
    if not path.is_file():
        return None, [f"{path} is missing"]
    if (found := file_sha256(path)) != result.outputs_sha256:
        return None, [f"{path}: its sha256 is {found}, the result has {result.outputs_sha256}"]
    try:
        outputs = read(path, result.stage)
    except (ValueError, OSError) as fault:
        return None, [str(fault)]
    images, metrics = len(outputs.images), outputs.metrics()
    same = images == result.samples_scored
    faults = [] if same else [f"{path}: {images} images, the result has {result.samples_scored}"]
    faults += [
        f"{path}: {name} is {metrics[name]:.6f}, the result has {value:.6f}"
        for name, value in result.metrics.items()
        if name in metrics and abs(metrics[name] - value) > TOLERANCE_PERCENT
    ]
    return (None if faults else outputs), faults


def read(path: Path, stage: str) -> Outputs:
    """A stage's outputs. Raises ValueError or OSError of one line that names the file."""
    try:
        with np.load(path) as stored:
            return STAGES[stage].outputs({name: stored[name] for name in stored.files})
    except (ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as fault:
        raise ValueError(f"{path}: no outputs of {stage}: {fault}") from None


def by_backbone(runs: Sequence[Scored], metric: str) -> list[list[Scored]]:
    """The runs that have a metric; those fine-tuned from one backbone, together."""
    grouped = defaultdict(list)
    for run in runs:
        if metric in run.points:
            grouped[run.stored.own, run.result.backbone_seed].append(run)
    return list(grouped.values())
