"""A whole epoch of ResNet-50-D from JPEGs, waiting for data included: ours against timm's, from one folder, on the CPU.

timm's is what its train.py does there: its data set, its loader and augmentation at their defaults, with as many
workers, and its loop in low precision. (The script itself is no part of timm's package.)
"""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from timm.data import create_dataset, create_loader
from torch.utils.data import DataLoader

from classification.config import load
from trick_transfer.engine.precision import low_precision
from trick_transfer.engine.processes import cores
from trick_transfer.engine.seeding import Seeded

from .compare import our_update, timm_update
from .figures import Figures, Ratio, rounds
from .training import write_photos

STEPS = 4


def our_loader(folder: Path, px: int, batch: int, workers: int) -> Iterable:
    """As the recipes have it."""
    data = load("resnet50_baseline").train_dataloader.dataset.dataset
    data.crop.size_px = px
    data.update(root=str(folder), num_classes=1)
    draws: Any = [(i, i) for i in range(batch * STEPS)]
    return DataLoader(Seeded(data), batch, sampler=draws, num_workers=workers, persistent_workers=workers > 0)


def timm_loader(folder: Path, px: int, batch: int, workers: int) -> Iterable:
    """As timm's train.py makes it: crop, flip, colour jitter 0.4."""
    data = create_dataset("", root=str(folder / "train"))
    options: Any = dict(use_prefetcher=False, num_workers=workers, persistent_workers=workers > 0)
    return create_loader(data, (3, px, px), batch, is_training=True, **options)


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
        self.lasted += perf_counter() - begun


def bench_epoch(px: int, repeats: int, batch: int, workers: int) -> Figures:
    """Images per second of both, and which share of the time each waits for data."""
    with TemporaryDirectory() as name:
        folder, images, timms = Path(name), batch * STEPS, timm_update()
        write_photos(folder, images)
        loaders = [partial(make, folder, px, batch, workers) for make in (our_loader, timm_loader)]
        ours, theirs = Epoch(loaders[0](), our_update()), Epoch(loaders[1](), lambda pair: timms(*pair))
        seconds = rounds({"ours": ours, "timm's": theirs}, repeats)
    return Figures(
        f"ResNet-50-D from JPEGs, {px} px, batch {batch}, {low_precision()}, {cores()} cores, {workers} workers",
        "images/s",
        {name: images / each for name, each in seconds.items()},
        [
            Ratio("ours / timm's", seconds["timm's"] / seconds["ours"], "at least 1.0"),
            Ratio("ours waits for data, % of its time", 100 * ours.waited / ours.lasted),
            Ratio("timm's waits for data, % of its time", 100 * theirs.waited / theirs.lasted),
        ],
    )
