"""The animals' silhouettes: 10 kinds, some 970 distinct instances each, from the `animal-mnist` wheel (LICENSES.md).

The pools share no silhouette and no near-duplicate. The file was made by `mini/vendor.py`, last in the repository
at commit 4e44b134.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from .noise import sample

ANIMALS_FILE = Path(__file__).parent / "animals.npz"
KINDS = ("bear", "bird", "cat", "cow", "dog", "elephant", "giraffe", "horse", "sheep", "zebra")
POOLS = ("pretrain_train", "pretrain_val", "downstream_train", "downstream_test", "pretrain_tuning")
TUNING_SHARE = 10  # every tenth group of the training pool is held out for `tuning`, the split to choose settings on
SIDE_PX, LARGE_PX = 28, 112


class Animals(NamedTuple):
    """silhouettes (N, 28, 28) bool; labels, groups of near-duplicates and pools, each (N,)."""

    silhouettes: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    pools: np.ndarray

    def of(self, pool: str, kind: int) -> np.ndarray:
        """Indices of one kind's silhouettes in a pool."""
        return np.flatnonzero((self.pools == POOLS.index(pool)) & (self.labels == kind))


@cache
def load() -> Animals:
    """All silhouettes, unpacked."""
    with np.load(ANIMALS_FILE) as file:
        bits, labels = np.unpackbits(file["silhouettes"], axis=1, count=SIDE_PX**2), file["labels"]
        pools, groups = file["pools"].copy(), file["groups"]
    pools[(pools == POOLS.index("pretrain_train")) & (groups % TUNING_SHARE == 0)] = POOLS.index("pretrain_tuning")
    return Animals(bits.reshape(-1, SIDE_PX, SIDE_PX) > 0, labels, groups, pools)


def pose(silhouette: np.ndarray, size_px: float, rng: np.random.Generator) -> np.ndarray:
    """(28, 28) bool -> (h, w) uint8 alpha, larger side about size_px; mirrored, leaned and stretched at random."""
    large = cv2.resize(silhouette.astype(np.uint8) * 255, (LARGE_PX, LARGE_PX), interpolation=cv2.INTER_LINEAR_EXACT)
    large = cv2.GaussianBlur(large, (7, 7), 1.8)  # round edges
    rows, columns = np.flatnonzero(large.max(1) > 127), np.flatnonzero(large.max(0) > 127)
    height, width = np.ptp(rows) + 1.0, np.ptp(columns) + 1.0
    stretch = rng.uniform(0.88, 1.14)
    shear, lean, mirror = rng.uniform(-0.12, 0.12), rng.uniform(-0.08, 0.08), rng.choice((-1.0, 1.0))
    zoom = size_px / max(height, width * stretch)
    reach = int(size_px * 0.65) + 2
    y, x = np.mgrid[-reach:reach, -reach:reach] / zoom
    x, y = x / stretch + shear * y, y + lean * x
    alpha = sample(large, columns.mean() + mirror * x, rows.mean() + y, wrap=False)
    gain = max(1.0, 3.0 * zoom)  # an edge of one or two output pixels at any zoom
    alpha = np.clip((alpha.astype(np.float32) - 127.0) * np.float32(gain) + 127.0, 0, 255).astype(np.uint8)
    rows, columns = np.flatnonzero(alpha.max(1) > 127), np.flatnonzero(alpha.max(0) > 127)
    return alpha[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
