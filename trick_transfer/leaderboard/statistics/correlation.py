"""Does top-1 predict downstream scores: rank correlations over the rows of a table, with intervals.

The intervals are Bonett and Wright's ("Sample size requirements for estimating Pearson, Kendall and Spearman
correlations", 2000), on Fisher's scale. A correlation of 1 is infinite on that scale, so it is
replaced by the middle between 1 and the next value that so many rows can have.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from ..table import Correlation
from .bootstrap import NORMAL

FEWEST_ROWS = 5  # below, the intervals do not exist
ORDERED_ROWS = 3  # two rows can only be in the same order or in the opposite one


def correlate(metric: str, upstream: Sequence[float], downstream: Sequence[float]) -> Correlation:
    """Spearman's and Kendall's coefficients of two columns with their 95 % intervals; none of two rows."""
    rows = len(upstream)
    if rows < ORDERED_ROWS or len(set(upstream)) == 1 or len(set(downstream)) == 1:
        return Correlation(metric, rows)
    found: dict[str, float] = {}
    for name, of, step, error in (
        ("spearman", stats.spearmanr, 12 / (rows * (rows**2 - 1)), lambda r: np.sqrt((1 + r**2 / 2) / (rows - 3))),
        ("kendall", stats.kendalltau, 4 / (rows * (rows - 1)), lambda r: np.sqrt(0.437 / (rows - 4))),
    ):
        found[name] = coefficient = float(of(upstream, downstream).statistic)
        if rows >= FEWEST_ROWS:
            found[f"{name}_low"], found[f"{name}_high"] = interval(coefficient, step, error(coefficient))
    return Correlation(metric, rows, **found)


def interval(coefficient: float, step: float, error: float) -> tuple[float, float]:
    """The interval on Fisher's scale; `step` is from 1 to the next value."""
    centre = np.arctanh(np.clip(coefficient, step / 2 - 1, 1 - step / 2))
    low, high = np.tanh(centre + np.array([-1, 1]) * NORMAL * error)
    return min(float(low), coefficient), max(float(high), coefficient)
