"""A run with its metrics over all images and resampled ones, from its stored outputs, without GPU or model."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from trick_transfer import mini
from trick_transfer.engine.details import Details
from trick_transfer.engine.files import brief, file_sha256, read_arrays
from trick_transfer.engine.stage import Arrays, Outputs
from trick_transfer.runs.result import DIVERGED, Result
from trick_transfer.runs.store import Stored
from trick_transfer.stages import BACKBONE, STAGES

from ..statistics.bootstrap import resample
from .remembered import forget, remembered

TOLERANCE_PERCENT = 1e-4  # the detector's metric computes in single precision


@dataclass(frozen=True, eq=False)
class Scored:
    """A stored run and its metrics in percent; without outputs, `rounds` is empty and `images` is "" ."""

    stored: Stored
    points: dict[str, float]  # over all images
    rounds: Arrays = field(default_factory=dict)  # (ROUNDS,) by metric, over resampled images
    images: str = ""  # equal: scored on the same images
    details: Details = Details()

    @property
    def result(self) -> Result:
        """What the run reports."""
        return self.stored.result


# the matrices are small: several threads of BLAS wait for each other most of the time, and last bits depend on them
@threadpool_limits.wrap(limits=1, user_api="blas")
def load_all(stored: Iterable[Stored]) -> tuple[list[Scored], list[str]]:
    """All runs that their outputs do not contradict, and one line for each that is left out or has no outputs."""
    runs: list[Scored] = []
    problems: list[str] = []
    for each in stored:
        if not each.result.samples_scored:
            runs.append(means_only(each))
        elif not each.outputs.is_file():
            runs.append(means_only(each))
            problems.append(f"{each.outputs} is missing (so no interval)")
        else:
            try:
                runs.append(scored(each))
            except ValueError as fault:
                problems += [f"left out: {line}" for line in fault.args]
            except OSError as fault:
                problems.append(f"left out: {fault}")
    forget()
    return runs, problems


def scored(stored: Stored) -> Scored:
    """A run whose outputs confirm it. Raises ValueError, of a line for each fault, or OSError."""
    result, path = stored.result, stored.outputs
    check_hash(result, path)
    read_from = result.outputs_sha256, result.samples_scored, result.metrics, result.config
    return Scored(stored, *remembered(lambda: resampled(result, path), STAGES[result.stage], *read_from))


def resampled(result: Result, path: Path) -> tuple[dict[str, float], Arrays, str, Details]:
    """What `Scored` holds; of the metrics over resampled images those that every draw has. Raises as `scored`."""
    outputs, faults = audit(result, path)
    if not outputs:
        raise ValueError(*faults)
    with reading(path, f"outputs of {result.stage}"):
        points, rounds = outputs.metrics | result.metrics, resample(outputs)
        known = {name: drawn for name, drawn in rounds.items() if np.isfinite(drawn).all()}
        return points, known, outputs.key, outputs.details


def check_hash(result: Result, path: Path) -> None:
    """Raise ValueError for outputs that are not the result's, OSError for a file that cannot be read."""
    if (found := file_sha256(path)) != result.outputs_sha256:
        raise ValueError(f"{path}: its sha256 is {found}, the result has {result.outputs_sha256}")


def means_only(stored: Stored) -> Scored:
    """A run whose outputs are not read."""
    return Scored(stored, stored.result.metrics)


def audit(result: Result, path: Path) -> tuple[Outputs | None, list[str]]:
    """A result's outputs, or None and one line for each fault; the file is read only if its hash is the result's."""
    if DIVERGED in result.chosen:
        return None, [f"{path.parent} is of a trial that diverged, which has no row"]
    if not result.samples_scored:
        return None, []
    if not path.is_file():
        return None, [f"{path} is missing"]
    try:
        check_hash(result, path)
        outputs = read(path, result.stage, result.config)
        with reading(path, f"outputs of {result.stage}"):
            images, metrics = len(outputs.images), outputs.metrics
    except (ValueError, OSError) as fault:
        return None, [str(fault)]
    same = images == result.samples_scored
    faults = [] if same else [f"{path}: {images} images, the result has {result.samples_scored}"]
    faults += [
        f"{path}: {name} is {metrics[name]:.6f}, the result has {value:.6f}"
        for name, value in result.metrics.items()
        if name in metrics and not abs(metrics[name] - value) <= TOLERANCE_PERCENT
    ]
    others = outputs.details.classes | {name: value for name, value in metrics.items() if name not in result.metrics}
    faults += [
        f"{path}: {name!r:.80} is {value:.6f}, no percentage"
        for name, value in others.items()
        if not -TOLERANCE_PERCENT <= value <= 100 + TOLERANCE_PERCENT
    ]
    return (None if faults else outputs), faults


def read(path: Path, stage: str, config: Mapping[str, Any] = {}) -> Outputs:
    """A stage's outputs, with their details. Raises ValueError or OSError of one line that names the file."""
    arrays = read_arrays(path)
    with reading(path, f"outputs of {stage}"):
        if stage == BACKBONE.name and "classes" not in arrays and config.get("data", {}).get("name") == "mini":
            arrays["classes"] = np.array(mini.CLASSES)  # earlier outputs have no names
        return replace(STAGES[stage].outputs(arrays), details=STAGES[stage].details(arrays, config))


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Whatever a stage's code raises for arrays that it cannot take becomes a ValueError that names their file."""
    try:
        yield
    except Exception as fault:  # anyone's arrays have any types, shapes and sizes: no list of kinds would be whole
        if isinstance(fault, OSError) and fault.filename:
            raise
        raise ValueError(f"{path}: no {what}: {brief(fault)}") from None


def by_backbone(runs: Sequence[Scored], metric: str) -> list[list[Scored]]:
    """The runs that have a metric; those fine-tuned from one backbone, together."""
    grouped = defaultdict(list)
    for run in runs:
        if metric in run.points:
            grouped[run.stored.own, run.result.backbone_seed].append(run)
    return list(grouped.values())
