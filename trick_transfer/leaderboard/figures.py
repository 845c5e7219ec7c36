"""The paper's Figures 3 and 4, from numbers that are handed in: schedules and accuracy, and label smoothing's gap.

The gap is that between the largest logit and the mean of the rest; eq. 5 has its best value under label smoothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trick_transfer.engine.files import write_whole

matplotlib.rcParams.update({"svg.hashsalt": "trick-transfer", "svg.fonttype": "none"})  # the same file each time
PAPER_CLASSES, BINS = 1000, 60
COLOURS = ("#1b6ca8", "#d1495b")  # told apart by the colour-blind, and in grey


def two_panels(first: str, second: str) -> tuple[Figure, Axes, Axes]:
    """One above the other, as in the paper."""
    figure = Figure(figsize=(6, 7), layout="constrained")
    above, below = figure.subplots(2)
    for axes, title in ((above, first), (below, second)):
        axes.set_title(title, fontsize=11)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, above, below


def schedules(rates: Mapping[str, tuple], accuracy: Mapping[str, Sequence], tier: str) -> Figure:
    """Figure 3: the rate (epochs, values) of each schedule; its runs' top-1 as [epoch, percent] pairs."""
    figure, above, below = two_panels("(a) learning rate", f"(b) top-1 in validation, tier {tier}")
    for (name, (epochs, values)), colour in zip(rates.items(), COLOURS, strict=False):
        above.plot(epochs, values, color=colour, label=name)
        for seed, curve in enumerate(accuracy[name]):
            below.plot(*zip(*curve, strict=True), ".-", color=colour, label=None if seed else name, alpha=0.8)
    above.set(xlabel="epoch", ylabel="learning rate")
    below.set(xlabel="epoch", ylabel="top-1 accuracy (%)", xlim=above.get_xlim())
    finish(figure, any(accuracy.values()))
    return figure


def best_gap(eps: np.ndarray | float, classes: int) -> np.ndarray:
    """log((K - 1)(1 - eps) / eps), the gap between the true class's logit and the others' in eq. 5."""
    return np.log((classes - 1) * (1 - np.asarray(eps)) / eps)


def gap(logits: np.ndarray, mean: np.ndarray, classes: int) -> np.ndarray:
    """The largest of each row of logits (N, k), best first, minus the mean of the rest; `mean` (N,) is of all K."""
    best = logits[:, 0].astype(float)
    return best - (mean * classes - best) / (classes - 1)


def gaps(empirical: Mapping[str, np.ndarray], classes: int, eps: float, tier: str) -> Figure:
    """Figure 4: the best gap by eps, for the paper's number of classes and ours; gaps (N,) of each recipe's images."""
    figure, above, below = two_panels("(a) best gap, eq. 5", f"(b) gap in validation, tier {tier}")
    for number, style in ((classes, "--"), (PAPER_CLASSES, "-")):
        grid = np.linspace(0.001, (number - 1) / number, 1000)  # where it ends all logits are equal
        above.plot(grid, best_gap(grid, number), style, color="black", label=f"K = {number}")
    above.set(xlabel="ε", ylabel="log((K - 1)(1 - ε) / ε)")
    bins = np.histogram_bin_edges(np.concatenate([*empirical.values(), []]), BINS).tolist()  # the same for all
    for (name, values), colour in zip(empirical.items(), COLOURS, strict=False):
        below.hist(values, bins, density=True, color=colour, alpha=0.55, label=name)
    best = float(best_gap(eps, classes))
    below.axvline(best, color="black", ls="--", label=f"best at ε = {eps:g}, K = {classes}: {best:.2f}")
    below.set(xlabel="largest logit - mean of the rest", ylabel="density")
    finish(figure, bool(empirical))
    return figure


def finish(figure: Figure, any_run: bool) -> None:
    """Legends, and a word where nothing was run."""
    above, below = figure.axes
    for axes in (above, below):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False)
    if not any_run:
        below.set_yticks([])
        below.text(0.5, 0.5, "no run of this tier yet", ha="center", transform=below.transAxes)


def save(figure: Figure, path: Path) -> None:
    """By its suffix, .svg or .png; whole or not at all."""
    kind = path.suffix.removeprefix(".")
    meta = {"Date": None} if kind == "svg" else None  # the same bytes each time
    write_whole(path, lambda part: figure.savefig(part, format=kind, dpi=150, metadata=meta))
