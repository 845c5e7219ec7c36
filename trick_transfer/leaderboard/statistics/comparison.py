"""How sure each row is, and which differ significantly: intervals, Holm over all pairs, groups, ranks, seeds needed.

The variance of a mean, and of a difference, has two parts: the images' from the bootstrap, paired where both rows were
scored on the same ones, and the seeds' (`noise.py`). The interaction of seed and image is in both, and is subtracted
from the first.
"""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from string import ascii_lowercase
from typing import NamedTuple

import networkx
import numpy as np
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from ..table import Pair
from .bootstrap import ALPHA, NORMAL, interaction
from .noise import half_width, moderated, of_differences, p_value

POWER = 0.8
MOST_SEEDS = 100
SEEDS, BORROWED, IMAGES = "seed and image", "borrowed seed and image", "image"  # what intervals cover
MOST_LETTERED = 100  # rows; 500 rows have over a hundred letters each, which is unreadable, and take 10 s a metric


class Sample(NamedTuple):
    """A row's independent runs of one metric: percents (seeds,), and (seeds, ROUNDS) over resampled images."""

    points: np.ndarray
    rounds: np.ndarray
    images: str  # equal: scored on the same images


class Placed(NamedTuple):
    """A row's 95 % interval and what it covers, its letters, and its best and worst rank."""

    low: float
    high: float
    level: str
    group: str | None
    rank_low: int
    rank_high: int


class Comparison:
    """All rows and pairs of rows in one metric; in its matrices (rows, rows) an entry is the row's minus the column's.

    At least one row has to have two runs: the noise between seeds is not known otherwise, see `compare`.
    """

    def __init__(self, names: Sequence[str], samples: Sequence[Sample]) -> None:
        self.names = tuple(names)
        self.runs = np.array([len(sample.points) for sample in samples])
        self.means = np.array([sample.points.mean() for sample in samples])
        self.difference = self.means[:, None] - self.means
        images = np.array([sample.images for sample in samples])
        self.paired = images[:, None] == images
        shared = covariance(samples) * self.paired
        own = np.diag(shared)
        self.image_variance = np.maximum(own[:, None] + own - 2 * shared, 0)
        noise = moderated([sample.points for sample in samples])
        seeds = noise.variance / self.runs
        self.seed_variance = seeds[:, None] + seeds
        self.run_variance = (noise.variance[:, None] + noise.variance) / 2
        self.freedom = of_differences(seeds, noise, self.runs)
        self.row_half_width = half_width(own, seeds, noise.freedom)
        self.half_width = half_width(self.image_variance, self.seed_variance, self.freedom)
        self.p_holm = self.adjusted()

    def adjusted(self) -> np.ndarray:
        """Two-sided p, adjusted over all pairs; 1 for a row and itself."""
        p_holm = np.ones_like(self.difference)
        above = np.triu_indices_from(p_holm, 1)
        if len(p_holm) > 1:
            parts = (self.difference, self.image_variance, self.seed_variance, self.freedom)
            p = p_value(*(part[above] for part in parts))
            p_holm[above] = p_holm.T[above] = holm(p)
        return p_holm

    def interval(self, name: str) -> tuple[float, float]:
        """The 95 % interval of a row's mean, within 0 and 100 percent."""
        at = self.names.index(name)
        mean, half_width = float(self.means[at]), float(self.row_half_width[at])
        return max(0.0, mean - half_width), min(100.0, mean + half_width)

    def placed(self, order: Sequence[str], better: int) -> dict[str, Placed]:
        """Each row's interval and group, and the best and worst rank that the separated pairs leave open.

        The group is a compact letter display: rows share a letter if no two that have it are separated; letters
        follow `order`, from the best to the worst; large tables have none. `better` is -1 where lower is better.
        """
        apart, place, cliques = self.p_holm < ALPHA, {name: at for at, name in enumerate(order)}, []
        if len(order) <= MOST_LETTERED:
            alike = networkx.from_numpy_array(~apart & ~np.eye(len(order), dtype=bool))
            cliques = sorted(sorted(place[self.names[row]] for row in some) for some in networkx.find_cliques(alike))
        groups = ([letters(at) for at, some in enumerate(cliques) if place[name] in some] for name in self.names)
        beaten = apart & (better * self.difference < 0)
        ranks = zip((1 + beaten.sum(1)).tolist(), (len(order) - beaten.sum(0)).tolist(), strict=True)
        levels = (SEEDS if runs > 1 else BORROWED for runs in self.runs)
        rows = zip(self.names, levels, groups, ranks, strict=True)
        return {
            name: Placed(*self.interval(name), level, " ".join(some) or None, *between)
            for name, level, some, between in rows
        }

    def pair(self, a: str, b: str) -> Pair:
        """The difference of two rows, rounded, with its interval and test."""
        at = self.names.index(a), self.names.index(b)
        difference, half_width = float(self.difference[at]), float(self.half_width[at])
        low, high = (round(difference + side * half_width, 4) for side in (-1, 1))
        needed = None if np.isnan(self.seeds_needed[at]) else int(self.seeds_needed[at])
        return Pair(a, b, round(difference, 4), low, high, float(self.p_holm[at]), needed, bool(self.paired[at]))

    @cached_property
    def seeds_needed(self) -> np.ndarray:
        """Seeds a row that separate a pair (without Holm) at 80 % power on these images, up to MOST_SEEDS, else nan.

        The images' variance, which seeds do not reduce, is first subtracted from the difference.
        """
        images = (NORMAL + stats.norm.ppf(POWER)) ** 2 * self.image_variance
        left, sd = np.sqrt(np.maximum(self.difference**2 - images, 0)), np.sqrt(self.run_variance)
        needed = 2.0 + np.searchsorted(-detectable(), -np.divide(left, sd, out=np.zeros_like(left), where=sd > 0))
        return np.where(needed <= MOST_SEEDS, needed, np.nan)


def level(samples: Sequence[Sample]) -> str:
    """What the intervals of pairs of these rows cover."""
    once = [len(each.points) == 1 for each in samples]
    return IMAGES if all(once) else BORROWED if any(once) else SEEDS


def compare(names: Sequence[str], samples: Sequence[Sample]) -> Comparison:
    """Rows of any number of runs; where none was repeated, as if a second seed gave the same."""
    if level(samples) == IMAGES:
        samples = [
            Sample(np.repeat(each.points, 2), np.repeat(each.rounds, 2, axis=0), each.images) for each in samples
        ]
    return Comparison(names, samples)


def holm(p: np.ndarray) -> np.ndarray:
    """Adjusted p (Holm 1979). statsmodels' collects garbage first, which takes half a second."""
    order = np.argsort(p)
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(adjusted, 1)[np.argsort(order)]


def covariance(samples: Sequence[Sample]) -> np.ndarray:
    """(rows, rows): that of the rows' means by their images, without the interaction of seed and image.

    A row of one run cannot tell its interaction, and borrows the mean of the others'.
    """
    shared = np.atleast_2d(np.cov([sample.rounds.mean(0) for sample in samples]))
    runs = np.array([len(sample.rounds) for sample in samples])
    usual = interaction([sample.rounds for sample in samples])
    own = np.array([interaction([sample.rounds]) for sample in samples])
    np.fill_diagonal(shared, np.maximum(np.diag(shared) - np.where(runs > 1, own, usual) / runs, 0))
    return shared


@lru_cache
def detectable() -> np.ndarray:
    """The smallest differences, in standard deviations, that 2, 3, ... MOST_SEEDS seeds a row find at 80 % power."""
    solve = TTestIndPower().solve_power
    return np.array([solve(nobs1=seeds, alpha=ALPHA, power=POWER) for seeds in range(2, MOST_SEEDS + 1)])


def letters(place: int) -> str:
    """a, b, ... z, aa, ab, ..."""
    before, last = divmod(place, len(ascii_lowercase))
    return (letters(before - 1) if before else "") + ascii_lowercase[last]
