"""Each row's noise between seeds, shrunk towards that of all rows, and the intervals and p that follow from it.

Few runs measure a row's variance badly, but one variance for all is wrong where a row is noisier than the others. So a
row's variance is averaged with the pooled one, which counts as PRIOR more degrees of freedom (the moderated t of Smyth,
"Linear models and empirical Bayes methods", 2004, with a fixed weight: fitted to ten rows of two runs, as limma does,
the weight is often infinite). Two rows do not show what is usual: they are compared as by Welch.

The noise of the images is well known, that of the seeds is not, so each part gets its own quantile, and the squares of
the half-widths are added (Zou and Donner, "Construction of confidence limits about effect measures", 2008). One t for
the sum, with Satterthwaite's degrees of freedom, is too short where the seeds happen to agree.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize.elementwise import find_root
from scipy.special import ndtri, stdtrit

from .bootstrap import ALPHA

PRIOR = 1
FEWEST_ROWS = 3  # repeated ones; with fewer, each is judged by its own runs
LEVELS = 1e-50, 1 - 1e-9  # the smallest and the largest p


class RowNoise(NamedTuple):
    """The variance of one run of each row, and the degrees of freedom that it is worth."""

    variance: np.ndarray
    freedom: np.ndarray


def moderated(points: Sequence[np.ndarray]) -> RowNoise:
    """Each row's noise from the percents of its runs; a row of one run borrows the pooled noise, as one degree's worth.

    A noisier row of one run cannot be told from the others, so what it borrows counts as little as possible.
    """
    freedom = np.array([len(row) - 1 for row in points])
    squares = np.array([((row - row.mean()) ** 2).sum() for row in points])
    pooled = squares.sum() / freedom.sum()
    weight = PRIOR if (freedom > 0).sum() >= FEWEST_ROWS else 0
    worth = np.where(freedom > 0, freedom + weight, 1)
    return RowNoise(np.where(freedom > 0, squares + weight * pooled, pooled) / worth, worth)


def of_differences(seeds: np.ndarray, noise: RowNoise, runs: np.ndarray) -> np.ndarray:
    """(rows, rows) degrees of freedom (Satterthwaite 1946) of the sum of two rows' seed variances; 1 beside one run."""
    rest = seeds**2 / noise.freedom
    total, rest = ((part[:, None] + part) for part in (seeds, rest))
    known = np.divide(total**2, rest, out=np.ones_like(rest), where=rest > 0)
    once = runs == 1
    return np.where(once[:, None] | once, 1, np.minimum(known, (runs - 1).sum()))


def half_width(
    images: np.ndarray, seeds: np.ndarray, freedom: np.ndarray, level: float | np.ndarray = ALPHA
) -> np.ndarray:
    """Of the two-sided interval that misses with probability `level`, from the variances of images and of seeds."""
    return np.sqrt(ndtri(level / 2) ** 2 * images + stdtrit(freedom, level / 2) ** 2 * seeds)


def p_value(difference: np.ndarray, images: np.ndarray, seeds: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """The level whose interval ends at 0."""
    parts = images, seeds, freedom
    widest, narrowest = (half_width(*parts, level) for level in LEVELS)

    def gap(level: np.ndarray, end: np.ndarray, *parts: np.ndarray) -> np.ndarray:
        images, seeds, freedom = parts
        return np.log(half_width(images, seeds, freedom, np.exp(level))) - end

    with np.errstate(divide="ignore", invalid="ignore"):  # no noise at all: log(0)
        size = np.abs(difference)
        found = find_root(gap, tuple(np.log(LEVELS)), args=(np.log(np.clip(size, narrowest, widest)), *parts))
    p = np.select([size >= widest, size <= narrowest], LEVELS, np.exp(found.x))  # no root lies outside
    return np.where(widest > 0, p, difference == 0)
