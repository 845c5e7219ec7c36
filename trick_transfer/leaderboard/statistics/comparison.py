"""Which rows differ significantly: paired differences, Holm over all pairs, groups, ranks, and the seeds needed.

A difference's variance has two parts: the images' from the bootstrap, paired where both rows were scored on the same
ones, and the seeds'. The interaction of seed and image is in both, and is subtracted from the first. Few seeds measure
the second badly, so it is pooled over all repeated rows of the table and used for the other rows, too. If no row was
repeated, no pair is separated.
"""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from string import ascii_lowercase
from typing import NamedTuple

import networkx
import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower

from ..table import Noise, Pair
from .bootstrap import ALPHA, NORMAL, degrees_of_freedom, interaction

POWER = 0.8
MOST_SEEDS = 100
MOST_LETTERED = 100  # rows; 500 rows have over a hundred letters each, which is unreadable, and take 10 s a metric


class Sample(NamedTuple):
    """A row's independent runs of one metric: percents (seeds,), and (seeds, ROUNDS) over resampled images."""

    points: np.ndarray
    rounds: np.ndarray
    images: str  # equal: scored on the same images


class Placed(NamedTuple):
    """A row's letters, and its best and worst rank."""

    group: str | None
    rank_low: int
    rank_high: int


class Comparison:
    """All pairs of rows in one metric; in its matrices (rows, rows) an entry is the row's minus the column's.

    Without noise between seeds (None) no pair has a p, and intervals are of the images only.
    """

    def __init__(self, names: Sequence[str], samples: Sequence[Sample], noise: Noise | None) -> None:
        self.names, self.noise = tuple(names), noise
        means = np.array([sample.points.mean() for sample in samples])
        self.difference = means[:, None] - means
        images = np.array([sample.images for sample in samples])
        self.paired = images[:, None] == images
        per_row = np.array([1 / len(sample.points) for sample in samples])
        shares = per_row[:, None] + per_row  # of one run's variance, in the difference of two means
        shared = np.atleast_2d(np.cov([sample.rounds.mean(0) for sample in samples])) * self.paired
        own = np.diag(shared)
        of_runs = interaction([sample.rounds for sample in samples]) * shares  # what more seeds would reduce
        self.image_variance = np.maximum(own[:, None] + own - 2 * shared - of_runs, 0)
        seed_variance, known = ((noise.sd if noise else 0) ** 2 * shares, noise.freedom if noise else np.inf)
        self.error = np.sqrt(self.image_variance + seed_variance)  # the difference's standard error
        self.freedom = degrees_of_freedom(((self.image_variance, np.inf), (seed_variance, known)))
        self.half_width = stats.t.ppf(1 - ALPHA / 2, self.freedom) * self.error  # of the 95 % interval
        self.p_holm = self.adjusted()

    def adjusted(self) -> np.ndarray:
        """Two-sided p, adjusted over all pairs; nan where the noise is unknown."""
        p_holm = np.full_like(self.error, np.nan)
        above = np.triu_indices_from(p_holm, 1)
        if self.noise and len(p_holm) > 1:
            with np.errstate(divide="ignore", invalid="ignore"):  # no error at all: infinite, or 0/0
                t = self.difference[above] / self.error[above]
            p = np.nan_to_num(2 * stats.t.sf(np.abs(t), self.freedom[above]), nan=1.0)  # 0/0: the very same
            p_holm[above] = p_holm.T[above] = multipletests(p, method="holm")[1]
        return p_holm

    def placed(self, order: Sequence[str], better: int) -> dict[str, Placed]:
        """Each row's group, and the best and worst rank that the separated pairs leave open.

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
        rows = zip(self.names, groups, ranks, strict=True)
        return {name: Placed(" ".join(some) or None, *between) for name, some, between in rows}

    def pair(self, a: str, b: str) -> Pair:
        """The difference of two rows, rounded, with its interval and test."""
        at = self.names.index(a), self.names.index(b)
        difference, half_width = float(self.difference[at]), float(self.half_width[at])
        low, high = (round(difference + side * half_width, 4) for side in (-1, 1))
        p_holm = None if np.isnan(self.p_holm[at]) else float(self.p_holm[at])
        needed = None if np.isnan(self.seeds_needed[at]) else int(self.seeds_needed[at])
        return Pair(a, b, round(difference, 4), low, high, p_holm, needed, bool(self.paired[at]))

    @cached_property
    def seeds_needed(self) -> np.ndarray:
        """Seeds a row that separate a pair (without Holm) at 80 % power on these images, up to MOST_SEEDS, else nan.

        The images' variance, which seeds do not reduce, is first subtracted from the difference.
        """
        if not self.noise or not self.noise.sd:
            return np.full_like(self.difference, np.nan)
        images = (NORMAL + stats.norm.ppf(POWER)) ** 2 * self.image_variance
        left = np.sqrt(np.maximum(self.difference**2 - images, 0)) / self.noise.sd
        needed = 2.0 + np.searchsorted(-detectable(), -left)
        return np.where(needed <= MOST_SEEDS, needed, np.nan)


@lru_cache
def detectable() -> np.ndarray:
    """The smallest differences, in standard deviations, that 2, 3, ... MOST_SEEDS seeds a row find at 80 % power."""
    solve = TTestIndPower().solve_power
    return np.array([solve(nobs1=seeds, alpha=ALPHA, power=POWER) for seeds in range(2, MOST_SEEDS + 1)])


def letters(place: int) -> str:
    """a, b, ... z, aa, ab, ..."""
    before, last = divmod(place, len(ascii_lowercase))
    return (letters(before - 1) if before else "") + ascii_lowercase[last]
