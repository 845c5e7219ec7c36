"""A figure of two tiers or protocols: each metric's scores on one against the other's, with intervals and names."""

from collections.abc import Sequence
from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..paper.figures import COLOURS
from ..table import Agreement, Cell
from .agreement import label, line

ACROSS, SIDE_INCHES = 2, 4.5
FONT = 7


def scatter(some: Sequence[Agreement]) -> Figure:
    """A panel for each metric; where no interval is known, a point has no arms."""
    down = ceil(len(some) / ACROSS)
    figure = Figure(figsize=(ACROSS * SIDE_INCHES, down * SIDE_INCHES), layout="constrained")
    panels = figure.subplots(down, ACROSS, squeeze=False).ravel()
    for axes, each in zip(panels, some, strict=False):
        panel(axes, each)
    for axes in panels[len(some) :]:
        axes.set_axis_off()
    return figure


def panel(axes: Axes, each: Agreement) -> None:
    """One metric's rows."""
    _, tau, rows, *_ = line(each)
    axes.set_title(f"{label(each)}: tau {tau}, {rows} rows", fontsize=10)
    axes.set(xlabel=f"{each.sides[0]} (%)", ylabel=f"{each.sides[1]} (%)")
    axes.margins(0.15)  # for the names
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    for recipe, (one, two) in each.cells.items():
        axes.errorbar(
            one.mean, two.mean, arm(two), arm(one), "o", color=COLOURS[0], ecolor="grey", elinewidth=0.7, ms=4
        )
        axes.annotate(recipe, (one.mean, two.mean), (3, 3), textcoords="offset points", fontsize=FONT)


def arm(cell: Cell) -> list[list[float]] | None:
    """(2, 1): from the mean to both ends of the interval; None where there is none."""
    if cell.low is None or cell.high is None:
        return None
    return [[cell.mean - cell.low], [cell.high - cell.mean]]
