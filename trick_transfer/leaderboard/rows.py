"""The rows of a table: a recipe's runs with their outputs, a cell a metric, and what its backbone cost."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trick_transfer.engine.stage import Arrays
from trick_transfer.runs.result import OUTPUTS, Result
from trick_transfer.stages import metrics, stage_of

from .bootstrap import interval, resample
from .comparison import Sample
from .correlation import correlate
from .paper import Value
from .scores import audit

METRICS = metrics()
UPSTREAM = "top1"  # rows are ordered by it, as the paper's are


class Run(NamedTuple):
    """A result with what its outputs tell; `rounds` is empty and `images` nameless without them."""

    result: Result
    points: dict[str, float]  # percent by metric
    rounds: Arrays  # percents (ROUNDS,) by metric, over images drawn anew
    images: str
    classes: dict[str, float]


def load(result: Result, root: Path | None) -> tuple[Run | None, list[str]]:
    """A run, and why it has no interval if its outputs are missing; no run, and why, if they are not as it tells.

    Without a root no outputs are looked for.
    """
    bare = Run(result, result.metrics, {}, "", {})
    if not root:
        return bare, []
    path = root / result.folder / OUTPUTS
    outputs, faults = audit(result, path)
    if outputs:
        points = outputs.metrics() | result.metrics
        return Run(result, points, resample(outputs), outputs.key, outputs.classes), []
    if path.is_file():
        return None, [f"left out: {fault}" for fault in faults]
    return bare, [f"{fault} (so no interval)" for fault in faults]


def by_backbone(runs: Sequence[Run], metric: str) -> list[list[Run]]:
    """The runs that have a metric; those fine-tuned from one backbone, together."""
    grouped = defaultdict(list)
    for run in runs:
        if metric in run.points:
            grouped[run.result.backbone_seed].append(run)
    return list(grouped.values())


def sample(groups: Sequence[Sequence[Run]], metric: str) -> Sample | None:
    """Groups of runs as independent draws of a metric; None if a run's outputs are missing."""
    runs = [run for group in groups for run in group]
    if any(metric not in run.rounds for run in runs):
        return None
    points = [np.mean([run.points[metric] for run in group]) for group in groups]
    rounds = [np.mean([run.rounds[metric] for run in group], 0) for group in groups]
    return Sample(np.array(points), np.array(rounds), "+".join(sorted({run.images for run in runs})))


def cell(backbones: Sequence[Sequence[Run]], metric: str, said: Value | None) -> dict[str, Any]:
    """One metric of a row: mean, standard deviation and 95 % interval over backbones; over fine-tunings, if of one."""
    groups = backbones if len(backbones) > 1 else [[run] for run in backbones[0]]
    made = plain_cell([float(np.mean([run.points[metric] for run in group])) for group in groups], said)
    drawn = sample(groups, metric)
    if drawn:
        seeds = "seed" if len(backbones) > 1 else "fine-tuning seed"
        made["low"], made["high"] = interval(drawn.points, drawn.rounds)
        made["level"] = "image" if len(groups) == 1 else f"{seeds} and image"
    return made


def plain_cell(points: Sequence[float], said: Value | None) -> dict[str, Any]:
    """A cell without interval."""
    return {
        "mean": float(np.mean(points)),
        "sd": float(np.std(points, ddof=1)) if len(points) > 1 else None,
        "n": len(points),
        **dict.fromkeys(("low", "high")),
        "level": "none",
        **dict.fromkeys(("group", "rank_low", "rank_high", "device_hours")),
        "paper": said and said._asdict(),
    }


def class_iou(runs: Sequence[Run]) -> dict[str, float]:
    """Each class's IoU in percent, the mean over runs."""
    found = defaultdict(list)
    for run in runs:
        for name, iou in run.classes.items():
            found[name].append(iou)
    return {name: float(np.mean(some)) for name, some in found.items()}


def device_hours(recipe: str, tier: str, results: Sequence[Result]) -> float | None:
    """Of a recipe's classification run and its teacher's, means over seeds; None if one of them is not there."""
    own = [each for each in results if (each.recipe, each.tier, each.stage) == (recipe, tier, "classification")]
    if not own:
        return None
    hours = mean_hours(own)
    teacher = (own[0].config.get("model") or {}).get("teacher")
    if not teacher:
        return hours
    of_teacher = device_hours(teacher["recipe"], tier, [each for each in results if each.recipe != recipe])
    return None if of_teacher is None else hours + of_teacher


def mean_hours(results: Sequence[Result]) -> float:
    """Measured time times devices."""
    return float(np.mean([each.seconds * each.devices / 3600 for each in results]))


def total_hours(metric: str, of_backbone: float | None, results: Sequence[Result]) -> float | None:
    """Device-hours behind a row's metric: the backbone's, and downstream those of the fine-tuning."""
    stage = stage_of(metric).name
    if stage == "classification" or of_backbone is None:
        return of_backbone
    return of_backbone + mean_hours([each for each in results if each.stage == stage])


def with_rows(tier: str, protocols: list[dict], rows: list[dict]) -> dict[str, Any]:
    """A table that has rows, and no statistics yet."""
    there = {name for row in rows for name in row["cells"]}
    names = [name for name in METRICS if name in there]
    return {
        "tier": tier,
        "protocols": protocols,
        "metrics": [{**METRICS[name]._asdict(), "stage": stage_of(name).name} for name in names],
        "rows": sorted(rows, key=lambda row: (-row["cells"].get(UPSTREAM, {"mean": -1})["mean"], row["recipe"])),
        "pairs": {},
        "ledger": [],
        "correlations": correlations(rows, names),
        "variance": {},
    }


def correlations(rows: Sequence[dict], names: Sequence[str]) -> list[dict[str, Any]]:
    """Top-1 with each downstream metric, over the rows that have both."""
    found = []
    for name in names:
        both = [row["cells"] for row in rows if {name, UPSTREAM} <= row["cells"].keys()]
        if stage_of(name).name != "classification" and len(both) > 1:
            columns = ([cells[metric]["mean"] for cells in both] for metric in (UPSTREAM, name))
            found.append({"metric": name, **correlate(*columns)})
    return found
