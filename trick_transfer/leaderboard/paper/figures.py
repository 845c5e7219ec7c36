"""The paper's Figures 3 and 4 from real recipes and their runs: schedules and accuracy, and label smoothing's gap.

The gap is that between the largest logit and the mean of the rest; eq. 5 has its best value under label smoothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from classification.config import finish
from trick_transfer.engine.files import read_arrays, write_whole
from trick_transfer.runs.dry_run import rates, steps_an_epoch
from trick_transfer.runs.run import Run
from trick_transfer.runs.store import Stored

from ..scores.load import check_hash

matplotlib.rcParams.update({"svg.hashsalt": "trick-transfer", "svg.fonttype": "none"})  # the same file each time
PAPER_CLASSES, BINS = 1000, 60
COLOURS = ("#1b6ca8", "#d1495b")  # distinct for the colour-blind, and in grey
FIGURES = {  # the recipes compared; the paper's are of ResNet-50-D
    "figure3": ("resnet50d_efficient", "resnet50d_cosine"),
    "figure4": ("resnet50d_cosine", "resnet50d_smooth"),
}


def figure3(runs: dict[str, Run], results: Sequence[Stored]) -> Figure:
    """The schedules, and the accuracy by epoch of every seed."""
    accuracy = {name: [each.result.curves["top1"] for each in results if each.result.recipe == name] for name in runs}
    return schedules({name: schedule(run) for name, run in runs.items()}, accuracy, next(iter(runs.values())).tier)


def figure4(runs: dict[str, Run], results: Sequence[Stored]) -> Figure:
    """The theoretical gap, and the gaps of all seeds' outputs."""
    *_, last = runs.values()
    model = last.layers.cfg.model
    empirical = {}
    for name in runs:
        if tables := [outputs(each) for each in results if each.result.recipe == name]:
            found = [gap(each["logits"], each["logits_mean"], model.num_classes) for each in tables]
            empirical[name] = np.concatenate(found)
    return gaps(empirical, model.num_classes, model.smoothing.eps, last.tier)


DRAW = {"figure3": figure3, "figure4": figure4}


def schedule(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Epochs and learning rates at every step, from the recipe's schedulers."""
    cfg, batch = run.draft(), run.batch()
    images = cfg.data.num_train
    finish(cfg, batch)
    epoch_steps = steps_an_epoch(cfg, images, batch)
    course = np.array(rates(cfg, epoch_steps))
    return np.arange(len(course)) / epoch_steps, course


def outputs(stored: Stored) -> dict[str, np.ndarray]:
    """A result's stored outputs. Raises OSError or ValueError if they are missing or another run's."""
    check_hash(stored.result, stored.outputs)
    return read_arrays(stored.outputs)


def two_panels(first: str, second: str) -> tuple[Figure, Axes, Axes]:
    """One above the other, as in the paper."""
    figure = Figure(figsize=(6, 7), layout="constrained")
    above, below = figure.subplots(2)
    for axes, title in ((above, first), (below, second)):
        axes.set_title(title, fontsize=11)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, above, below


def schedules(courses: Mapping[str, tuple], accuracy: Mapping[str, Sequence], tier: str) -> Figure:
    """Figure 3: the rate (epochs, values) of each schedule; its runs' top-1 as [epoch, percent] pairs."""
    figure, above, below = two_panels("(a) learning rate", f"(b) top-1 in validation, tier {tier}")
    for (name, (epochs, values)), colour in zip(courses.items(), COLOURS, strict=False):
        above.plot(epochs, values, color=colour, label=name)
        for seed, curve in enumerate(accuracy[name]):
            below.plot(*zip(*curve, strict=True), ".-", color=colour, label=None if seed else name, alpha=0.8)
    above.set(xlabel="epoch", ylabel="learning rate")
    below.set(xlabel="epoch", ylabel="top-1 accuracy (%)", xlim=above.get_xlim())
    return with_legends(figure, any(accuracy.values()))


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
    return with_legends(figure, bool(empirical))


def with_legends(figure: Figure, any_run: bool) -> Figure:
    """Legends, and a note where nothing was run."""
    above, below = figure.axes
    for axes in (above, below):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False)
    if not any_run:
        below.set_yticks([])
        below.text(0.5, 0.5, "no run of this tier yet", ha="center", transform=below.transAxes)
    return figure


def saved(figure: Figure, stem: Path, png: bool) -> Iterator[Path]:
    """Write a figure as SVG, and as PNG on demand; the files."""
    for suffix in ("svg", *(["png"] * png)):
        path = stem.with_name(f"{stem.name}.{suffix}")
        save(figure, path)
        yield path


def save(figure: Figure, path: Path) -> None:
    """By its suffix, .svg or .png; whole or not at all."""
    meta = {"Date": None} if path.suffix == ".svg" else None  # the same bytes each time
    write_whole(path, lambda part: figure.savefig(part, format=path.suffix[1:], dpi=150, metadata=meta))
