"""What Figures 3 and 4 show: rates from the real schedulers of the real recipes, and what the runs left behind."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from classification.config import finish
from trick_transfer.engine.files import file_sha256
from trick_transfer.runs.dry_run import rates, steps_an_epoch
from trick_transfer.runs.result import OUTPUTS, Result
from trick_transfer.runs.run import Run

from . import figures

FIGURES = {  # the recipes compared; the paper's are of ResNet-50-D
    "figure3": ("resnet50d_efficient", "resnet50d_cosine"),
    "figure4": ("resnet50d_cosine", "resnet50d_smooth"),
}


def schedule(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Epochs and learning rates at every step."""
    cfg = run.draft()
    batch, images = run.batch(), cfg.data.num_train
    finish(cfg, batch)
    epoch_steps = steps_an_epoch(cfg, images, batch)
    course = np.array(rates(cfg, epoch_steps))
    return np.arange(len(course)) / epoch_steps, course


def outputs(result: Result, root: Path) -> dict[str, np.ndarray]:
    """A result's stored outputs. Raises OSError or ValueError if they are missing or not its own."""
    path = root / result.folder / OUTPUTS
    if file_sha256(path) != result.outputs_sha256:
        raise ValueError(f"{path} is not what {result.folder} was scored with")
    with np.load(path) as stored:
        return dict(stored)


def figure3(runs: dict[str, Run], results: Iterable[Result]) -> Figure:
    """The schedules, and the accuracy by epoch of every seed there is."""
    found = list(results)
    accuracy = {name: [each.curves["top1"] for each in found if each.recipe == name] for name in runs}
    courses = {name: schedule(run) for name, run in runs.items()}
    return figures.schedules(courses, accuracy, next(iter(runs.values())).tier)


def figure4(runs: dict[str, Run], results: Iterable[Result]) -> Figure:
    """The theoretical gap, and the gaps of all seeds' outputs."""
    last = list(runs.values())[-1]
    cfg = last.draft()
    classes, found = cfg.model.num_classes, list(results)
    empirical: dict[str, np.ndarray] = {}
    for name, run in runs.items():
        tables = [outputs(each, run.results_root) for each in found if each.recipe == name]
        if tables:
            gaps = [figures.gap(table["logits"], table["logits_mean"], classes) for table in tables]
            empirical[name] = np.concatenate(gaps)
    return figures.gaps(empirical, classes, cfg.model.smoothing.eps, last.tier)


DRAW = {"figure3": figure3, "figure4": figure4}
