"""Does top-1 predict what comes downstream: rank correlations over the rows of a table, with intervals.

The intervals are Bonett and Wright's ("Sample size requirements for estimating Pearson, Kendall and Spearman
correlations", 2000), on Fisher's scale. A correlation of 1, which has no place there, is moved half a step inwards: to
the middle between 1 and the next value that so many rows can have.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from .bootstrap import NORMAL

FEWEST_ROWS = 5  # below, the intervals do not exist


def correlate(upstream: Sequence[float], downstream: Sequence[float]) -> dict[str, Any]:
    """Spearman's and Kendall's coefficients of two columns with their 95 % intervals; None where they do not exist."""
    rows = len(upstream)
    found: dict[str, Any] = {"n": rows}
    for name, of, step, error in (
        ("spearman", stats.spearmanr, 12 / (rows * (rows**2 - 1)), lambda r: np.sqrt((1 + r**2 / 2) / (rows - 3))),
        ("kendall", stats.kendalltau, 4 / (rows * (rows - 1)), lambda r: np.sqrt(0.437 / (rows - 4))),
    ):
        exists = len(set(upstream)) > 1 and len(set(downstream)) > 1
        coefficient = float(of(upstream, downstream).statistic) if exists else np.nan
        low, high = interval(coefficient, step, error(coefficient)) if exists and rows >= FEWEST_ROWS else (None, None)
        found |= {name: coefficient if exists else None, f"{name}_low": low, f"{name}_high": high}
    return found


def interval(coefficient: float, step: float, error: float) -> tuple[float, float]:
    """The interval on Fisher's scale; `step` is from 1 to the next value."""
    centre = np.arctanh(np.clip(coefficient, step / 2 - 1, 1 - step / 2))
    low, high = np.tanh(centre + np.array([-1, 1]) * NORMAL * error)
    return min(float(low), coefficient), max(float(high), coefficient)
