"""All randomness is a function of (seed, position): a resumed run draws what an uninterrupted one would have drawn.

The sampler yields (index, draw), `Seeded` seeds each sample's augmentation from its draw, and the hook seeds each step
on the device. So no state of a random generator has to be saved, with any number of workers.
"""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dataset import DefaultSampler
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import DATASETS as ROOT_DATASETS
from torch.utils.data import Dataset

from trick_transfer.registry import DATA_SAMPLERS, DATASETS, HOOKS


def word(*position: int) -> int:
    """A seed from a tuple of non-negative integers."""
    # the length goes first: to NumPy (0, 1) is the same as (0, 1, 0)
    return int(np.random.SeedSequence((len(position), *position)).generate_state(1)[0])


def seed_host(*position: int) -> int:
    """Seed Python, NumPy and torch's CPU from a tuple of non-negative integers; returns the seed."""
    seed = word(*position)
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    return seed


def seed_all(*position: int) -> None:
    """As `seed_host`, and all devices: 0.3 ms in a process that uses none, as torch notes where it was asked."""
    torch.manual_seed(seed_host(*position))


@DATA_SAMPLERS.register_module()
class DrawSampler(DefaultSampler):
    """mmengine's sampler, but it yields (index, draw); the draw is unique over epochs and ranks.

    Each (seed, epoch) has an order of its own. mmengine's is that of seed + epoch: seed 0 would repeat in epoch 1 what
    seed 1 has in epoch 0. `images`: of all ranks in an epoch; of a larger data set the rest of the order is left out.
    """

    def __init__(self, dataset: Any, images: int | None = None, **options: Any) -> None:
        super().__init__(dataset, **options)
        if images and images < len(self.dataset):
            self.total_size, self.num_samples = images, images // self.world_size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        count = len(self.dataset)
        order = np.random.default_rng((self.seed, self.epoch)).permutation(count) if self.shuffle else range(count)
        first = self.epoch * self.total_size
        own = range(self.rank, self.total_size, self.world_size)
        return ((int(order[i % count]), first + i) for i in own)  # the first ones again, if ranks do not divide them


class Around(Dataset):
    """What wraps a data set and passes on what mmengine asks of it."""

    def __init__(self, dataset: dict) -> None:
        self.dataset = ROOT_DATASETS.build(dataset)

    def full_init(self) -> None:
        if hasattr(self.dataset, "full_init"):
            self.dataset.full_init()

    @property
    def metainfo(self) -> dict:
        return self.dataset.metainfo

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: Any) -> Any:
        return self.dataset[key]


@DATASETS.register_module()
class Seeded(Around):
    """A data set whose sample (index, draw) is augmented with randomness seeded by (seed, draw)."""

    def __init__(self, dataset: dict, seed: int = 0) -> None:
        super().__init__(dataset)
        self.seed = seed

    def __getitem__(self, key: tuple[int, int]) -> Any:
        index, draw = key
        seed_host(self.seed, draw)
        return self.dataset[index]


@DATASETS.register_module()
class Spread(Around):
    """Some `images` of a data set, or as many as there are; spread evenly, as the first ones may be of one class."""

    def __init__(self, dataset: dict, images: int) -> None:
        super().__init__(dataset)
        self.images = images

    def __len__(self) -> int:
        return min(self.images, len(self.dataset))

    def __getitem__(self, key: Any) -> Any:
        index, *draw = key if isinstance(key, tuple) else (key,)  # training's sampler gives a pair
        place = index * len(self.dataset) // len(self)
        return self.dataset[(place, *draw) if draw else place]


@HOOKS.register_module()
class SeedEachStep(Hook):
    """Seeds the device's randomness (pairs of mixup, noise, dropout, RoI samples) from (seed, rank, step).

    NumPy's generator is seeded alike in all processes and accumulated steps of an update, for what they share: mixup's
    lambda. It is the one that a single process with the whole batch would draw.
    """

    priority = "VERY_HIGH"

    def __init__(self, accumulation: int = 1) -> None:
        self.accumulation = accumulation

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        # three numbers, so none is the seed of a sample, which has two
        seed_all(runner.seed, get_rank(), runner.iter)
        np.random.seed(word(runner.seed, 0, runner.iter // self.accumulation))
