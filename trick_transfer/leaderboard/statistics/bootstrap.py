"""The bootstrap of images, the same for all runs that were scored on them, and what it measures of seeds.

The noise between seeds is not resampled: two runs have three means, and no interval can be read from three values.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import stats

from trick_transfer.engine.stage import Arrays, Outputs

ROUNDS = 2000
CHUNK = 1000  # rounds at once: 5,000 images of them take 40 MB
ALPHA = 0.05
NORMAL = stats.norm.ppf(1 - ALPHA / 2)


@lru_cache(maxsize=4)
def image_weights(key: str, images: int) -> np.ndarray:
    """(images, ROUNDS) uint8: how often each image is drawn; a function of the images alone."""
    generator = np.random.default_rng(int(key, 16))
    weights = np.empty((images, ROUNDS), np.uint8)
    for each in range(ROUNDS):
        weights[:, each] = np.bincount(generator.integers(images, size=images), minlength=images)
    return weights


def resample(outputs: Outputs) -> Arrays:
    """A run's metrics in percent, (ROUNDS,) each, over its resampled images."""
    weights = image_weights(outputs.key, len(outputs.images))
    chunks = [outputs.score(weights[:, at : at + CHUNK].astype(float)) for at in range(0, ROUNDS, CHUNK)]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def interaction(samples: Sequence[np.ndarray]) -> float:
    """The variance of one run's mean by the interaction of seed and image; rows of (seeds, ROUNDS), 0 if none has two.

    The images' variance of a mean over n seeds contains an n-th of it, and so does the variance between seeds, which
    were scored on one set of images: where the two are added, it has to be subtracted once.
    """
    freedom = sum(len(rounds) - 1 for rounds in samples)
    squares = sum((rounds - rounds.mean(0)).var(1, ddof=1).sum() for rounds in samples)
    return float(squares / freedom) if freedom else 0.0
