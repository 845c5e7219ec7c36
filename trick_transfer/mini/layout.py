"""The positions of animals and clutter, and which hides which."""

from dataclasses import dataclass

import numpy as np

from .clutter import Cutout
from .places import Camera


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
