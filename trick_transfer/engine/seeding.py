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
    return int(np.random.SeedSequence(position).generate_state(1)[0])


def seed_all(*position: int) -> None:
    """Seed Python, NumPy and torch from a tuple of non-negative integers."""
    seed = word(*position)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@DATA_SAMPLERS.register_module()
class DrawSampler(DefaultSampler):
    """mmengine's shuffling sampler, but it yields (index, draw); the draw is unique over epochs and ranks.

    `images`: of all ranks in an epoch, which leaves out the rest of the shuffled ones.
    """

    def __init__(self, dataset: Any, images: int | None = None, **options: Any) -> None:
        super().__init__(dataset, **options)
        if images:
            self.total_size, self.num_samples = images, images // self.world_size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        first = self.epoch * self.total_size + self.rank
        return ((index, first + i * self.world_size) for i, index in enumerate(super().__iter__()))


@DATASETS.register_module()
class Seeded(Dataset):
    """A data set whose sample (index, draw) is augmented with randomness seeded by (seed, draw)."""

    def __init__(self, dataset: dict, seed: int = 0) -> None:
        self.dataset = ROOT_DATASETS.build(dataset)
        self.seed = seed

    def full_init(self) -> None:
        if hasattr(self.dataset, "full_init"):
            self.dataset.full_init()

    @property
    def metainfo(self) -> dict:
        return self.dataset.metainfo

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: tuple[int, int]) -> Any:
        index, draw = key
        seed_all(self.seed, draw)
        return self.dataset[index]


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
        # 1 keeps this stream apart from the samples' where their numbers coincide
        seed_all(runner.seed, 1, get_rank(), runner.iter)
        np.random.seed(word(runner.seed, 1, 0, runner.iter // self.accumulation))
