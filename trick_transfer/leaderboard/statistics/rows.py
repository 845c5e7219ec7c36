"""A row's cells from its runs, and a table from its rows."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from trick_transfer.engine.details import Details
from trick_transfer.stages import BACKBONE

from ..scores.load import Scored, by_backbone
from ..table import UPSTREAM, Cell, Correlation, Protocol, Row, Table, Value, column, metrics
from .comparison import SEEDS, Comparison, Sample
from .correlation import correlate


def sample(groups: Sequence[Sequence[Scored]], metric: str) -> Sample | None:
    """Groups of runs as independent draws of a metric; None if a run's outputs are missing."""
    runs = [run for group in groups for run in group]
    if any(metric not in run.rounds for run in runs):
        return None
    points = [np.mean([run.points[metric] for run in group]) for group in groups]
    rounds = [np.mean([run.rounds[metric] for run in group], 0) for group in groups]
    return Sample(np.array(points), np.array(rounds), "+".join(sorted({run.images for run in runs})))


def cell(runs: Sequence[Scored], metric: str, paper: Value | None = None, hours: float | None = None) -> Cell:
    """One metric of a row, over backbones, or the fine-tunings of a single one. Raises IndexError if no run has it.

    Only the interval over fine-tunings is known from the row alone; others need the whole table.
    """
    backbones = by_backbone(runs, metric)
    groups = backbones if len(backbones) > 1 else [[run] for run in backbones[0]]
    points = [float(np.mean([run.points[metric] for run in group])) for group in groups]
    low, high, level = None, None, "none"
    if len(groups) > len(backbones) and (drawn := sample(groups, metric)):
        (low, high), level = Comparison([metric], [drawn]).interval(metric), f"fine-tuning {SEEDS}"
    sd = float(np.std(points, ddof=1)) if len(points) > 1 else None
    return Cell(float(np.mean(points)), sd, len(points), low, high, level, device_hours=hours, paper=paper)


def tabulated(tier: str, protocols: tuple[Protocol, ...], rows: Iterable[Row], **more: Any) -> Table:
    """A table of rows, ordered by the upstream metric, with its correlations."""
    none = Cell(-1)
    ordered = tuple(sorted(rows, key=lambda row: (-row.cells.get(UPSTREAM, none).mean, row.recipe)))
    columns = tuple(column(name) for name in metrics() if any(name in row.cells for row in ordered))
    downstream = [each.name for each in columns if each.stage != BACKBONE.name]
    found = tuple(each for name in downstream if (each := correlation(name, ordered)))
    return Table(tier, protocols, columns, ordered, found, **more)


def correlation(metric: str, rows: Sequence[Row]) -> Correlation | None:
    """The upstream metric with a downstream one, over the trained rows that have both; None if there are not two."""
    both = [row.cells for row in rows if row.trained and {metric, UPSTREAM} <= row.cells.keys()]
    return (
        correlate(metric, *([cells[name].mean for cells in both] for name in (UPSTREAM, metric))) if both[1:] else None
    )


def by_class(some: Sequence[Details]) -> dict[str, dict[str, float]]:
    """Measure -> class -> its mean over the runs that have the class."""
    values: dict[str, dict[str, list[float]]] = {}
    for each in some:
        for name, percent in each.classes.items():
            values.setdefault(each.measure, {}).setdefault(name, []).append(percent)
    return {measure: {name: float(np.mean(each)) for name, each in found.items()} for measure, found in values.items()}
