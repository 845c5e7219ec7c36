"""A row's cells from its runs, and a table from its rows."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..scores.load import Scored, by_backbone
from ..table import BACKBONE, UPSTREAM, Cell, Correlation, Protocol, Row, Table, Value, column, metrics
from .bootstrap import interval
from .comparison import Sample
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
    """One metric of a row: mean, deviation and 95 % interval over backbones, or over the fine-tunings of a single one.

    The runs of which none has the metric raise IndexError.
    """
    backbones = by_backbone(runs, metric)
    groups = backbones if len(backbones) > 1 else [[run] for run in backbones[0]]
    points = [float(np.mean([run.points[metric] for run in group])) for group in groups]
    low = high = None
    level = "none"
    if drawn := sample(groups, metric):
        low, high = interval(drawn.points, drawn.rounds)
        level = "image" if len(groups) == 1 else "seed and image"
        level = f"fine-tuning {level}" if len(groups) > len(backbones) else level
    sd = float(np.std(points, ddof=1)) if len(points) > 1 else None
    return Cell(float(np.mean(points)), sd, len(points), low, high, level, device_hours=hours, paper=paper)


def tabulated(tier: str, protocols: tuple[Protocol, ...], rows: Iterable[Row], **more: Any) -> Table:
    """A table of rows, ordered by the upstream metric, with its correlations."""
    none = Cell(-1)
    ordered = tuple(sorted(rows, key=lambda row: (-row.cells.get(UPSTREAM, none).mean, row.recipe)))
    names = [name for name in metrics() if any(name in row.cells for row in ordered)]
    return Table(tier, protocols, tuple(map(column, names)), ordered, correlations(ordered, names), **more)


def correlations(rows: Sequence[Row], names: Sequence[str]) -> tuple[Correlation, ...]:
    """The upstream metric with each downstream one, over the rows that have both."""
    found = []
    for name in names:
        both = [row.cells for row in rows if {name, UPSTREAM} <= row.cells.keys()]
        if column(name).stage != BACKBONE.name and len(both) > 1:
            values = ([cells[metric].mean for cells in both] for metric in (UPSTREAM, name))
            found.append(correlate(name, *values))
    return tuple(found)
