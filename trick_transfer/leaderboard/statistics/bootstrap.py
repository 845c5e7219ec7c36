"""The two-level bootstrap: it resamples images, the same for all runs scored on them, and seeds.

With few seeds the plain bootstrap's intervals are too short. Two corrections: deviations from the mean are widened by
sqrt(n / (n - 1)) (Davison and Hinkley, "Bootstrap Methods", 1997, sec. 2.3), and the interval by Student's t with
Satterthwaite's degrees of freedom. The interval is centred on the measured mean, as resampled AP and IoU are biased.
A bootstrap of both levels counts the interaction of seed and image up to three times (Owen, "The pigeonhole
bootstrap", 2007), so an interval is too wide rather than too narrow; differences of rows are corrected for it.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import stats

from trick_transfer.engine.stage import Arrays, Outputs

ROUNDS = 2000
CHUNK = 250  # rounds at once: 5,000 images of them take 10 MB
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


def draw_seeds(rounds: np.ndarray) -> np.ndarray:
    """(seeds, ROUNDS) -> (ROUNDS,): in each round, the mean over as many seeds, drawn with replacement."""
    seeds, many = rounds.shape
    if seeds == 1:
        return rounds[0]
    drawn = np.random.default_rng(seeds).multinomial(seeds, np.full(seeds, 1 / seeds), size=many).T / seeds
    return rounds.mean(0) + np.sqrt(seeds / (seeds - 1)) * ((drawn - 1 / seeds) * rounds).sum(0)


def interaction(samples: Sequence[np.ndarray]) -> float:
    """The variance of one run's mean by the interaction of seed and image; rows of (seeds, ROUNDS), 0 if none has two.

    The images' variance of a mean over n seeds contains an n-th of it, and so does the variance between seeds, which
    were scored on one set of images: where the two are added, it has to be subtracted once.
    """
    freedom = sum(len(rounds) - 1 for rounds in samples)
    squares = sum((rounds - rounds.mean(0)).var(1, ddof=1).sum() for rounds in samples)
    return float(squares / freedom) if freedom else 0.0


def interval(points: np.ndarray, rounds: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of the mean of (seeds,) percents; of one seed it covers the images only."""
    seeds = len(points)
    stretch = 1.0
    if seeds > 1:
        parts = (np.var(points, ddof=1) / seeds, seeds - 1), (rounds.mean(0).var(ddof=1), np.inf)
        stretch = stats.t.ppf(1 - ALPHA / 2, degrees_of_freedom(parts)) / NORMAL
    drawn = draw_seeds(rounds)
    low, high = points.mean() + stretch * (np.quantile(drawn, (ALPHA / 2, 1 - ALPHA / 2)) - drawn.mean())
    return max(0.0, float(low)), min(100.0, float(high))


def degrees_of_freedom(parts: Sequence[tuple]) -> np.ndarray:
    """Of a sum of (variance, degrees of freedom), which may be arrays (Satterthwaite 1946)."""
    total = sum(variance for variance, _ in parts)
    rest = sum(variance**2 / freedom for variance, freedom in parts)
    return np.divide(total**2, rest, out=np.full(np.shape(rest), np.inf), where=np.asarray(rest) > 0)
