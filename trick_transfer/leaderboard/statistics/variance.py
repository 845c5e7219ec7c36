"""How much a score varies between seeds, of pre-training and of fine-tuning where several runs share a backbone.

A nested analysis of variance (recipes, backbones in them, fine-tunings in those), one noise for all recipes of a table;
Searle, Casella and McCulloch, "Variance Components", 1992, sec. 3.6 and 5.2. Whether one noise fits all of them is
tested by Cochran's method.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from ..table import Noise, Variance


def pooled(groups: Sequence[np.ndarray]) -> Noise | None:
    """The noise within groups of percents; None if none has two."""
    freedom = sum(len(group) - 1 for group in groups)
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    return Noise((squares / freedom) ** 0.5, freedom) if freedom else None


def components(rows: Sequence[Sequence[np.ndarray]]) -> Variance:
    """From each row's backbones, and of each the percents of its fine-tunings; a negative estimate counts as 0."""
    fine_tuning = pooled([backbone for row in rows for backbone in row])
    freedom = sum(len(row) - 1 for row in rows)
    pre_training = seed = None
    if freedom:
        squares, sizes = (sum(part) / freedom for part in zip(*map(between, rows), strict=True))
        within = fine_tuning.sd**2 if fine_tuning else 0.0
        of_backbones = max(0.0, (squares - within) / sizes)
        seed = Noise((of_backbones + within) ** 0.5, freedom)
        pre_training = Noise(of_backbones**0.5, freedom) if fine_tuning else None
    equal = homogeneity([np.array([backbone.mean() for backbone in row]) for row in rows])
    return Variance(seed, pre_training, fine_tuning, equal)


def homogeneity(groups: Sequence[np.ndarray]) -> float | None:
    """The p of Cochran's test for one group that is noisier than the others; None without two repeated groups.

    The share of the noisiest has a beta distribution, also where sizes differ ('t Lam, "Scrutiny of variance results
    for outliers: Cochran's test optimized", 2010).
    """
    freedom = np.array([len(group) - 1 for group in groups if len(group) > 1])
    squares = np.array([((group - group.mean()) ** 2).sum() for group in groups if len(group) > 1])
    if len(freedom) < 2 or not squares.any():
        return None
    p = stats.beta.sf(squares / squares.sum(), freedom / 2, (freedom.sum() - freedom) / 2)
    return min(1.0, len(freedom) * float(p.min()))


def between(row: Sequence[np.ndarray]) -> tuple[float, float]:
    """A row's sum of squares between backbones, and the runs a backbone has in it, times degrees of freedom."""
    sizes, means = np.array([(len(backbone), backbone.mean()) for backbone in row]).T
    runs = sizes.sum()
    centre = (sizes * means).sum() / runs
    return float((sizes * (means - centre) ** 2).sum()), float(runs - (sizes**2).sum() / runs)
