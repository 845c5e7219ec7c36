"""Surfaces: tileable pictures of ten materials, procedural or cut from scikit-image's CC0 photographs (LICENSES.md).

Each pool of scenes has its own variants: other random fields, other palettes, other quarters of the photographs (there
are four, so tuning has training's).
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from skimage import data as photographs

from . import noise
from .animals import POOLS
from .noise import Ranges, blend

VARIANTS = {"pretrain_train": 8, "pretrain_val": 3, "downstream_train": 5, "downstream_test": 4, "pretrain_tuning": 3}
PHOTOGRAPHS = {"grass": photographs.grass, "gravel": photographs.gravel}
HALF_PX = 256  # the photographs are 512 x 512; each pool owns a quarter


def photograph(name: str, pool: str) -> np.ndarray:
    """A pool's quarter of a grey photograph, stretched to [0, 1] and mirrored to repeat without a seam."""
    row, column = divmod(POOLS.index(pool) % 4, 2)  # tuning shares the quarter of training
    quarter = PHOTOGRAPHS[name]()[row * HALF_PX :, column * HALF_PX :][:HALF_PX, :HALF_PX]
    tile = np.concatenate((quarter, quarter[:, ::-1]), 1)
    tile = np.concatenate((tile, tile[::-1]), 0).astype(np.float64)
    low, high = np.percentile(tile, (1, 99))
    return np.clip((tile - low) / (high - low), 0, 1)


def per_cell(cell: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One random shade for each numbered cell."""
    return rng.random(int(cell.max()) + 1)[cell]


def sky(rng: np.random.Generator) -> np.ndarray:
    """Clouds."""
    return noise.smoothstep(noise.fractal(rng, rng.uniform(1.6, 2.2), 2), rng.uniform(0.35, 0.6), rng.uniform(0.7, 1.0))


def grass(rng: np.random.Generator) -> np.ndarray:
    """Blades, and drier spots."""
    return 0.6 * noise.fractal(rng, 0.7, 8, rng.uniform(1.5, 3.0)) + 0.4 * noise.fractal(rng, 1.8)


def gravel(rng: np.random.Generator) -> np.ndarray:
    """Stones of uneven shade."""
    near, far, cell = noise.cells(rng, int(rng.integers(300, 900)))
    return noise.smoothstep(far - near, 0.0, 0.25) * (0.35 + 0.5 * per_cell(cell, rng)) + 0.15 * noise.fractal(rng, 1.0)


def sand(rng: np.random.Generator) -> np.ndarray:
    """Ripples and grains."""
    ripples = noise.waves(int(rng.integers(6, 14)), noise.fractal(rng, 2.6, 1), 2.5).T
    return rng.uniform(0.1, 0.5) * ripples + 0.3 * noise.fractal(rng, 0.3, 10) + 0.3 * noise.fractal(rng, 1.8)


def water(rng: np.random.Generator) -> np.ndarray:
    """Glints between waves."""
    return np.clip(1.0 - 2.6 * np.abs(noise.fractal(rng, 1.6, 4, rng.uniform(2.0, 4.0)) - 0.5), 0, 1) ** 2


def wood(rng: np.random.Generator) -> np.ndarray:
    """Planks with grain and joints."""
    planks = int(rng.integers(4, 9))
    across, down, cell = noise.grid(planks, 2, 0.5 + rng.random())
    grain = noise.fractal(rng, 1.2, 3, 12.0)
    joint = noise.smoothstep(np.minimum(down, 1 - down), 0.0, 0.06) * noise.smoothstep(across, 0.0, 0.01)
    return joint * (0.25 + 0.35 * per_cell(cell, rng) + 0.5 * (grain - 0.3))


def tile(rng: np.random.Generator) -> np.ndarray:
    """Tiles, plain or in a chequer."""
    count = int(rng.integers(2, 6)) * 2
    across, down, cell = noise.grid(count, count)
    edge = noise.smoothstep(np.minimum(np.minimum(across, 1 - across), np.minimum(down, 1 - down)), 0.0, 0.07)
    checks = ((cell // count + cell % count) % 2) * rng.choice((0.0, 0.5))
    return edge * np.clip(0.35 + checks + 0.25 * per_cell(cell, rng) + 0.2 * (noise.fractal(rng, 1.6) - 0.5), 0, 1)


def brick(rng: np.random.Generator) -> np.ndarray:
    """Bricks in mortar."""
    rows = int(rng.integers(4, 8)) * 2
    across, down, cell = noise.grid(rows, rows // 2, 0.5)
    edge = noise.smoothstep(np.minimum(across, 1 - across), 0.0, 0.06)
    edge = edge * noise.smoothstep(np.minimum(down, 1 - down), 0, 0.12)
    body = 0.1 + 0.35 * per_cell(cell, rng) + 0.35 * noise.fractal(rng, 0.9, 4)
    return edge * body + (1 - edge) * rng.uniform(0.6, 1.0)


def plaster(rng: np.random.Generator) -> np.ndarray:
    """A rough coat of plaster."""
    return 0.55 + 0.35 * (noise.fractal(rng, 2.0) - 0.5) + rng.uniform(0.1, 0.5) * (noise.fractal(rng, 0.6, 10) - 0.5)


def hedge(rng: np.random.Generator) -> np.ndarray:
    """Leaves in clumps."""
    near, _, cell = noise.cells(rng, int(rng.integers(500, 1100)))
    return np.clip(1.1 - near, 0, 1) * (0.3 + 0.7 * per_cell(cell, rng)) * (0.4 + 1.1 * noise.fractal(rng, 1.8, 3))


# Material -> field, colours at 0 and at 1, by eye. In the order of mini.STUFF.
MATERIALS: dict[str, tuple[Callable[[np.random.Generator], np.ndarray], Ranges, Ranges]] = {
    "sky": (sky, ((0.52, 0.62), (0.25, 0.65), (0.65, 0.95)), ((0.55, 0.65), (0.0, 0.1), (0.85, 1.0))),
    "grass": (grass, ((0.20, 0.36), (0.5, 0.85), (0.12, 0.3)), ((0.15, 0.30), (0.4, 0.75), (0.45, 0.75))),
    "gravel": (gravel, ((0.0, 0.7), (0.02, 0.15), (0.12, 0.3)), ((0.04, 0.14), (0.02, 0.25), (0.6, 0.85))),
    "sand": (sand, ((0.07, 0.12), (0.3, 0.55), (0.45, 0.65)), ((0.09, 0.14), (0.15, 0.45), (0.8, 0.98))),
    "water": (water, ((0.48, 0.63), (0.5, 0.9), (0.18, 0.45)), ((0.45, 0.60), (0.1, 0.4), (0.6, 0.9))),
    "wood": (wood, ((0.04, 0.09), (0.5, 0.8), (0.12, 0.25)), ((0.06, 0.12), (0.3, 0.65), (0.55, 0.9))),
    "tile": (tile, ((0.0, 1.0), (0.05, 0.25), (0.25, 0.45)), ((0.0, 0.6), (0.02, 0.25), (0.65, 0.95))),
    "brick": (brick, ((0.0, 0.06), (0.4, 0.75), (0.25, 0.45)), ((0.02, 0.12), (0.1, 0.4), (0.6, 0.85))),
    "plaster": (plaster, ((0.0, 0.65), (0.05, 0.3), (0.4, 0.6)), ((0.0, 0.65), (0.02, 0.25), (0.75, 1.0))),
    "hedge": (hedge, ((0.25, 0.40), (0.5, 0.8), (0.06, 0.16)), ((0.18, 0.32), (0.4, 0.8), (0.4, 0.65))),
}


@cache
def surface(material: str, pool: str, variant: int) -> np.ndarray:
    """A (256, 256, 3) uint8 RGB tile (512 for a photograph); pools share no field, palette or patch of a photograph."""
    make, dark, light = MATERIALS[material]
    rng = np.random.Generator(np.random.PCG64([list(MATERIALS).index(material), POOLS.index(pool), variant]))
    photo = material in PHOTOGRAPHS and variant % 2 == 1
    mix = (photograph(material, pool) if photo else make(rng))[..., None]
    low, high = (np.array(blend(ranges, rng.random(3))) for ranges in (dark, light))
    return np.rint(low + (high - low) * np.clip(mix, 0, 1)).astype(np.uint8)


@cache
def mean_colour(material: str, pool: str, variant: int) -> np.ndarray:
    """(3,) float32: the mean colour of a surface."""
    return surface(material, pool, variant).mean((0, 1)).astype(np.float32)
