"""Things of no class: rocks, bushes, posts, crates, rails. They hide animals and are labelled 0 (other)."""

from typing import NamedTuple

import numpy as np

from .noise import sample
from .places import wobble
from .surfaces import VARIANTS, surface


class Cutout(NamedTuple):
    """A flat upright thing: alpha (h, w) uint8 and colour (h, w, 3) float32 RGB."""

    alpha: np.ndarray
    colour: np.ndarray


def coordinates(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """x in [-1, 1] and y in [0, 1] from the top, of each pixel."""
    y, x = np.mgrid[0:height, 0:width]
    return (2 * x + 1) / width - 1, (y + 0.5) / height


def clad(
    material: str, pool: str, alpha: np.ndarray, scale: float, shade: np.ndarray, rng: np.random.Generator
) -> Cutout:
    """Cover a shape with a material."""
    tile = surface(material, pool, int(rng.integers(VARIANTS[pool])))
    y, x = np.mgrid[0 : alpha.shape[0], 0 : alpha.shape[1]] * scale
    shift = rng.integers(0, 256, 2)
    colour = sample(tile, x + shift[0], y + shift[1]).astype(np.float32) * shade.astype(np.float32)[..., None]
    return Cutout(alpha, colour)


def blob(size: int, material: str, ragged: float, pool: str, rng: np.random.Generator) -> Cutout:
    """A rock or a bush: a dome with an uneven outline."""
    height, width = max(4, int(size * rng.uniform(0.5, 0.9))), size
    x, y = coordinates(height, width)
    bump = sample(wobble(int(rng.integers(8))), 80 * x + rng.integers(256), 60 * y + rng.integers(256)) / 255.0 - 0.5
    inside = 0.8 - (x * x + (1 - y) ** 2) + ragged * bump
    alpha = np.rint(np.clip(inside * (size / 3) + 0.5, 0, 1) * 255).astype(np.uint8)  # an edge of about a pixel
    shade = 0.55 + 0.5 * np.clip(1 - y + 0.3 * rng.choice((-1, 1)) * x, 0, 1)
    return clad(material, pool, alpha, rng.uniform(1.0, 2.0), shade, rng)


def rock(size: int, pool: str, rng: np.random.Generator) -> Cutout:
    """A rock of stone or sand."""
    return blob(size, str(rng.choice(("plaster", "gravel", "sand"))), 0.5, pool, rng)


def bush(size: int, pool: str, rng: np.random.Generator) -> Cutout:
    """A bush or a tussock."""
    return blob(size, str(rng.choice(("hedge", "grass"))), 1.4, pool, rng)


def post(size: int, pool: str, rng: np.random.Generator) -> Cutout:
    """An upright timber or pillar, shaded as if round."""
    width = max(3, int(size * rng.uniform(0.1, 0.22)))
    x, _ = coordinates(size, width)
    shade = 0.5 + 0.5 * (1 - x * x) + 0.15 * rng.choice((-1, 1)) * x
    material, alpha = str(rng.choice(("wood", "plaster", "brick"))), np.full((size, width), 255, np.uint8)
    return clad(material, pool, alpha, 1.5, shade, rng)


def crate(size: int, pool: str, rng: np.random.Generator) -> Cutout:
    """A box seen from the front, with a lid that catches the light."""
    height = max(4, int(size * rng.uniform(0.5, 0.9)))
    x, y = coordinates(height, size)
    shade = np.where(y < 0.16, 1.15, 0.75) * np.where(np.maximum(np.abs(x), y) > 0.93, 0.7, 1.0)
    material, alpha = str(rng.choice(("wood", "tile", "brick"))), np.full((height, size), 255, np.uint8)
    return clad(material, pool, alpha, 1.8, shade, rng)


def rails(size: int, pool: str, rng: np.random.Generator) -> Cutout:
    """A piece of fence: two rails on posts, seen through."""
    width = int(size * rng.uniform(1.5, 3.0))
    x, y = coordinates(size, width)
    posts = np.abs((x * width / size) % 1.0 - 0.5) < 0.07
    bars = (np.abs(y - 0.25) < 0.08) | (np.abs(y - 0.65) < 0.08)
    return clad("wood", pool, (posts | bars).astype(np.uint8) * 255, 1.5, 0.8 + 0 * x, rng)


THINGS = (rock, bush, post, crate, rails)
