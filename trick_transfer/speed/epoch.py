"""A whole epoch of ResNet-50-D from JPEGs, waiting for data included: ours against timm's, from one folder.

timm's is what its train.py does there: its data set, its loader and augmentation at their defaults, with as many
workers, and its loop with the flags that `gpu.timm_update` names. (The script itself is no part of timm's package.)
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import torch
from timm.data import create_dataset, create_loader
from torch.utils.data import DataLoader

from classification.config import load
from trick_transfer.engine.receipt import device
from trick_transfer.engine.seeding import Seeded

from .figures import Figures, Ratio, rounds
from .gpu import Setup, our_update, timm_update
from .training import finished, write_photos

STEPS = {"cpu": 4, "cuda": 200}  # of an epoch; at its start the workers have nothing ready


def our_loader(folder: Path, setup: Setup, workers: int) -> Iterable:
    """As the recipes have it."""
    data = load("resnet50_baseline").train_dataloader.dataset.dataset
    data.crop.size_px = setup.px
    data.update(root=str(folder), num_classes=1)
    draws: Any = [(i, i) for i in range(setup.batch * STEPS[setup.device])]
    options: Any = dict(num_workers=workers, persistent_workers=workers > 0, pin_memory=setup.device == "cuda")
    return DataLoader(Seeded(data), setup.batch, sampler=draws, **options)


def timm_loader(folder: Path, setup: Setup, workers: int) -> Iterable:
    """As timm's train.py makes it: crop, flip, colour jitter 0.4; on a GPU with its prefetcher."""
    data = create_dataset("", root=str(folder / "train"))
    options: Any = dict(num_workers=workers, persistent_workers=workers > 0, device=torch.device(setup.device))
    options |= dict(use_prefetcher=setup.device == "cuda", pin_memory=setup.device == "cuda")
    return create_loader(data, (3, setup.px, setup.px), setup.batch, is_training=True, **options)


class Epoch:
    """Reads a loader to its end, an update a batch; `waited` and `lasted` are seconds of all epochs so far."""

    def __init__(self, loader: Iterable, update: Callable[[Any], object]) -> None:
        self.loader, self.update, self.waited, self.lasted = loader, update, 0.0, 0.0

    def __call__(self) -> None:
        begun = asked = perf_counter()
        for batch in self.loader:
            self.waited += perf_counter() - asked
            self.update(batch)
            asked = perf_counter()
        self.lasted += finished() - begun


def bench_epoch(setup: Setup, repeats: int, workers: int) -> Figures:
    """Images per second of both on the setup's device, and which share of the time its host waits for data."""
    with TemporaryDirectory() as name:
        folder, images, timms = Path(name), setup.batch * STEPS[setup.device], timm_update(setup)
        write_photos(folder, images)
        loaders = [make(folder, setup, workers) for make in (our_loader, timm_loader)]
        ours, theirs = Epoch(loaders[0], our_update(setup)), Epoch(loaders[1], lambda pair: timms(*pair))
        seconds = rounds({"ours": ours, "timm's": theirs}, repeats)
    read_by = f"{workers} worker{'s' * (workers > 1)}"
    return Figures(
        f"ResNet-50-D from JPEGs, {setup.px} px, batch {setup.batch}, {setup.precision}, {device()}, {read_by}",
        "images/s",
        {name: images / each for name, each in seconds.items()},
        [
            Ratio("ours / timm's", seconds["timm's"] / seconds["ours"], "at least 1.0"),
            Ratio("ours waits for data, % of its time", 100 * ours.waited / ours.lasted, goal_of_waiting(workers)),
            Ratio("timm's waits for data, % of its time", 100 * theirs.waited / theirs.lasted),
        ],
    )


def goal_of_waiting(workers: int) -> str:
    """With fewer workers the input pipeline's own speed decides."""
    return "under 3" if workers >= 8 else ""
