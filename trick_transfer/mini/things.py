"""Things in a scene: clutter of no class (label 0, other), which hides animals; where each stands and what it hides."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from .noise import sample, to_uint8
from .places import Camera, wobble
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


def blob(materials: tuple[str, ...], ragged: float, size: int, pool: str, rng: np.random.Generator) -> Cutout:
    """A rock or a bush: a dome with an uneven outline."""
    material = str(rng.choice(materials))
    height, width = max(4, int(size * rng.uniform(0.5, 0.9))), size
    x, y = coordinates(height, width)
    bump = sample(wobble(int(rng.integers(8))), 80 * x + rng.integers(256), 60 * y + rng.integers(256)) / 255.0 - 0.5
    inside = 0.8 - (x * x + (1 - y) ** 2) + ragged * bump
    alpha = to_uint8(inside * (size / 3) + 0.5)  # an edge of about a pixel
    shade = 0.55 + 0.5 * np.clip(1 - y + 0.3 * rng.choice((-1, 1)) * x, 0, 1)
    return clad(material, pool, alpha, rng.uniform(1.0, 2.0), shade, rng)


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


rock, bush = partial(blob, ("plaster", "gravel", "sand"), 0.5), partial(blob, ("hedge", "grass"), 1.4)
CLUTTER: tuple[Callable[[int, str, np.random.Generator], Cutout], ...] = (rock, bush, post, crate, rails)


@dataclass
class Thing:
    """A cut-out in the picture: left and top pixel; kind 0 to 9, or -1 for clutter."""

    cutout: Cutout
    left: int
    top: int
    kind: int = -1
    coat: int = -1
    flying: bool = False

    @property
    def foot(self) -> int:
        """The row it stands on; a lower row is nearer."""
        return self.top + self.cutout.alpha.shape[0]


def window(thing: Thing, height: int, width: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a thing and the picture overlap: (slices of the picture, slices of the thing)."""
    h, w = thing.cutout.alpha.shape
    top, left = max(0, thing.top), max(0, thing.left)
    bottom, right = max(0, min(height, thing.top + h)), max(0, min(width, thing.left + w))
    inner = slice(top - thing.top, bottom - thing.top), slice(left - thing.left, right - thing.left)
    return (slice(top, bottom), slice(left, right)), inner


def stand(cutout: Cutout, camera: Camera, tall_m: float, rng: np.random.Generator) -> Thing:
    """Put a cut-out on the ground at the distance that its size in the picture implies, anywhere across."""
    h, w = cutout.alpha.shape
    foot = min(camera.horizon + camera.eye_m / tall_m * max(h, w), camera.height + 0.15 * h)
    centre = rng.uniform(0.05, 0.95) * camera.width
    if w > 0.5 * camera.width:
        centre = rng.uniform(0.4, 0.6) * camera.width
    return Thing(cutout, int(centre - w / 2), int(foot - h))


def visible_shares(things: list[Thing], camera: Camera) -> list[float]:
    """The visible share of each animal among `things`; pixels outside of the picture count as hidden."""
    taken = np.zeros((camera.height, camera.width), bool)
    shares = []
    for thing in sorted(things, key=lambda thing: -thing.foot):
        outer, inner = window(thing, *taken.shape)
        alpha = thing.cutout.alpha > 127
        if thing.kind >= 0:
            shares.append(float((alpha[inner] & ~taken[outer]).sum() / max(1, alpha.sum())))
        taken[outer] |= alpha[inner]
    return shares


def lay_out(candidates: list[Thing], camera: Camera, least_visible: float) -> list[Thing]:
    """Leave out things that would hide an animal too much; the first animal always stays. Returns far to near."""
    first = candidates[0]
    if visible_shares([first], camera)[0] < least_visible:
        first.left = (camera.width - first.cutout.alpha.shape[1]) // 2
        first.top = min(first.top, camera.height - int(0.9 * first.cutout.alpha.shape[0]))
    kept = [first]
    for thing in candidates[1:]:
        if min(visible_shares([*kept, thing], camera)) >= least_visible:
            kept.append(thing)
    return sorted(kept, key=lambda thing: -thing.foot)[::-1]
