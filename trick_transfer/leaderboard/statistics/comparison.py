"""Which rows differ significantly: paired differences, Holm over all pairs, groups, ranks, and the seeds needed.

A difference's variance has two parts: the images' from the bootstrap, paired where both rows were scored on the same
ones, and the seeds'. The interaction of seed and image is in both, and is subtracted from the first. Few seeds measure
the second badly, so it is pooled over all repeated rows of the table (the other rows borrow it); where no row was
repeated, no pair is separated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
MOST_LETTERED = 100  # rows; 500 have over a hundred letters each, which nobody reads, and take 10 s a metric


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


@dataclass(frozen=True)
class Comparison:
    """All pairs of rows in one metric; in its matrices (rows, rows) an entry is the row's minus the column's."""

    names: tuple[str, ...]
    samples: tuple[Sample, ...]
    noise: Noise | None

    @cached_property
    def difference(self) -> np.ndarray:
        means = np.array([sample.points.mean() for sample in self.samples])
        return means[:, None] - means

    @cached_property
    def paired(self) -> np.ndarray:
        """Whether two rows were scored on the same images."""
        images = np.array([sample.images for sample in self.samples])
        return images[:, None] == images

    @cached_property
    def shares(self) -> np.ndarray:
        """The share of one run's variance in the difference of two means."""
        per_row = np.array([1 / len(sample.points) for sample in self.samples])
        return per_row[:, None] + per_row

    @cached_property
    def image_variance(self) -> np.ndarray:
        """Of the difference, over images, without the part that more seeds would reduce."""
        shared = np.atleast_2d(np.cov([sample.rounds.mean(0) for sample in self.samples])) * self.paired
        own = np.diag(shared)
        of_runs = interaction([sample.rounds for sample in self.samples]) * self.shares
        return np.maximum(own[:, None] + own - 2 * shared - of_runs, 0)

    @cached_property
    def seed_variance(self) -> np.ndarray:
        """Of the difference, over seeds; zero where the noise is unknown."""
        return (self.noise.sd if self.noise else 0) ** 2 * self.shares

    @cached_property
    def error(self) -> np.ndarray:
        """The standard error of the difference."""
        return np.sqrt(self.image_variance + self.seed_variance)

    @cached_property
    def freedom(self) -> np.ndarray:
        """The degrees of freedom of the error."""
        known = self.noise.freedom if self.noise else np.inf
        return degrees_of_freedom(((self.image_variance, np.inf), (self.seed_variance, known)))

    @cached_property
    def half_width(self) -> np.ndarray:
        """Of the difference's 95 % interval: of the images only, where the noise is unknown."""
        return stats.t.ppf(1 - ALPHA / 2, self.freedom) * self.error

    @cached_property
    def p_holm(self) -> np.ndarray:
        """Two-sided p, adjusted over all pairs; nan where the noise is unknown."""
        rows = len(self.samples)
        above = np.triu_indices(rows, 1)
        adjusted = np.full((rows, rows), np.nan)
        if self.noise and rows > 1:
            difference, error = self.difference[above], self.error[above]
            with np.errstate(divide="ignore", invalid="ignore"):  # no error at all: infinite, or 0/0
                t = difference / error
            p = np.nan_to_num(2 * stats.t.sf(np.abs(t), self.freedom[above]), nan=1.0)  # 0/0: the very same
            adjusted[above] = adjusted.T[above] = multipletests(p, method="holm")[1]
        return adjusted

    @cached_property
    def apart(self) -> np.ndarray:
        """Whether two rows differ at 5 %."""
        return self.p_holm < ALPHA

    def placed(self, order: Sequence[str], better: int) -> dict[str, Placed]:
        """Each row's group, and the best and worst rank that the separated pairs leave open.

        The group is a compact letter display: rows share a letter if no two that have it are separated; letters
        follow `order`, from the best to the worst; large tables have none. `better` is -1 where lower is better.
        """
        place = {name: at for at, name in enumerate(order)}
        cliques = []
        if len(order) <= MOST_LETTERED:
            alike = networkx.from_numpy_array(~self.apart & ~np.eye(len(order), dtype=bool))
            cliques = sorted(sorted(place[self.names[row]] for row in some) for some in networkx.find_cliques(alike))
        above = self.apart & (better * self.difference < 0)
        return {
            name: Placed(
                " ".join(letters(at) for at, some in enumerate(cliques) if place[name] in some) or None,
                1 + int(above[row].sum()),
                len(order) - int(above[:, row].sum()),
            )
            for row, name in enumerate(self.names)
        }

    def pair(self, a: str, b: str) -> Pair:
        """The difference of two rows, rounded, with its interval and test."""
        at = self.names.index(a), self.names.index(b)
        difference, half_width = self.difference[at], self.half_width[at]
        p_holm, needed = self.p_holm[at], self.seeds_needed[at]
        return Pair(
            a,
            b,
            round(float(difference), 4),
            low=round(float(difference - half_width), 4),
            high=round(float(difference + half_width), 4),
            p_holm=None if np.isnan(p_holm) else float(p_holm),
            seeds_needed=None if np.isnan(needed) else int(needed),
            paired=bool(self.paired[at]),
        )

    @cached_property
    def seeds_needed(self) -> np.ndarray:
        """Seeds a row that separate a pair (without Holm) at 80 % power on these images; nan: unknown, or none do.

        The images' variance, which seeds do not reduce, is first subtracted from the difference; no number up to
        MOST_SEEDS may be enough.
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
