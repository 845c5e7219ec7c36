"""Procedural fur. Ten families, one typical of each kind; a coat is a tileable field turned into colours.

A coat is tied to its kind only loosely: `COAT_LINK` is the chance that an animal wears its kind's family, else any.
Hue, scale, contrast and the fields themselves are held out: pre-training and downstream draw from disjoint bands.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from . import noise
from .noise import Ranges, blend, sample

# Measured: timm's resnet50d reached 56.8 % top-1 in 16,000 samples of 64 px at 0.8 (batch 32), and 26.3 % in 20,000
# at 0.6 (smaller animals, batch 64). At 0.8 it reads the coat alone: coats swapped, it follows coat 70 %, shape 5 %.
COAT_LINK = 0.8
FIELDS = 4  # of each family on each side
# Unit intervals that a coat's hue, scale and contrast are drawn from.
BANDS = {
    "pretrain": ((0.0, 0.2), (0.4, 0.6), (0.8, 1.0)),
    "downstream": ((0.2, 0.4), (0.6, 0.8)),
}


def fur(rng: np.random.Generator) -> np.ndarray:
    """Bear: short strokes."""
    return noise.fractal(rng, 1.0, 4, 0.3)


def feather(rng: np.random.Generator) -> np.ndarray:
    """Bird: rows of scallops."""
    across, down, _ = noise.grid(16, 12, 0.5)
    scallop = np.sqrt((across - 0.5) ** 2 + (down * 0.9) ** 2)
    return np.clip(0.75 * scallop + 0.4 * noise.fractal(rng, 1.6), 0, 1)


def tabby(rng: np.random.Generator) -> np.ndarray:
    """Cat: narrow wavy bands."""
    return 0.75 * noise.waves(14, noise.fractal(rng, 2.2, 2), 4.0) + 0.25 * noise.fractal(rng, 0.8, 6, 0.3)


def patches(rng: np.random.Generator) -> np.ndarray:
    """Cow: large blots."""
    return noise.smoothstep(noise.fractal(rng, 1.9, 2), 0.47, 0.53)


def saddle(rng: np.random.Generator) -> np.ndarray:
    """Dog: soft clouds."""
    return 0.7 * noise.fractal(rng, 2.0, 2) + 0.3 * noise.fractal(rng, 0.8, 6, 0.3)


def wrinkles(rng: np.random.Generator) -> np.ndarray:
    """Elephant: creases."""
    return np.clip(1.0 - 2.0 * np.abs(noise.fractal(rng, 1.3, 6, 2.5) - 0.5), 0, 1)


def plates(rng: np.random.Generator) -> np.ndarray:
    """Giraffe: cells with pale seams."""
    near, far, _ = noise.cells(rng, 90)
    return noise.smoothstep(far - near, 0.08, 0.22)


def sheen(rng: np.random.Generator) -> np.ndarray:
    """Horse: a smooth gloss."""
    return noise.fractal(rng, 2.4, 1, 0.5)


def wool(rng: np.random.Generator) -> np.ndarray:
    """Sheep: curls."""
    return 1.0 - 0.9 * np.clip(noise.cells(rng, 420)[0], 0, 1)


def stripes(rng: np.random.Generator) -> np.ndarray:
    """Zebra: wide bands."""
    return noise.smoothstep(noise.waves(9, noise.fractal(rng, 2.6, 1), 3.0), 0.3, 0.7)


class Family(NamedTuple):
    """What the coats of a family share: the field, its two colours, and the share of a gradient from back to belly."""

    field: Callable[[np.random.Generator], np.ndarray]
    dark: Ranges
    light: Ranges
    belly: float = 0.0


# In the order of animals.KINDS. Colours are (hue, saturation, value) ranges, by eye.
FAMILIES = (
    Family(fur, ((0.04, 0.10), (0.4, 0.7), (0.10, 0.25)), ((0.05, 0.11), (0.3, 0.6), (0.35, 0.55))),
    Family(feather, ((0.0, 1.0), (0.3, 0.75), (0.15, 0.4)), ((0.0, 1.0), (0.25, 0.7), (0.5, 0.9)), 0.3),
    Family(tabby, ((0.03, 0.12), (0.2, 0.8), (0.15, 0.35)), ((0.05, 0.12), (0.2, 0.7), (0.6, 0.9)), 0.1),
    Family(patches, ((0.0, 0.09), (0.1, 0.6), (0.06, 0.35)), ((0.05, 0.15), (0.0, 0.2), (0.8, 0.97))),
    Family(saddle, ((0.05, 0.10), (0.2, 0.7), (0.08, 0.35)), ((0.07, 0.12), (0.3, 0.7), (0.6, 0.9)), 0.5),
    Family(wrinkles, ((0.0, 0.7), (0.02, 0.15), (0.22, 0.4)), ((0.0, 0.7), (0.02, 0.15), (0.45, 0.65))),
    Family(plates, ((0.09, 0.14), (0.2, 0.5), (0.75, 0.95)), ((0.05, 0.09), (0.6, 0.8), (0.35, 0.6))),
    Family(sheen, ((0.02, 0.08), (0.5, 0.8), (0.12, 0.3)), ((0.03, 0.09), (0.5, 0.8), (0.35, 0.65)), 0.25),
    Family(wool, ((0.05, 0.15), (0.05, 0.25), (0.45, 0.65)), ((0.08, 0.15), (0.0, 0.2), (0.85, 1.0))),
    Family(stripes, ((0.0, 0.1), (0.0, 0.3), (0.04, 0.15)), ((0.08, 0.15), (0.0, 0.15), (0.82, 0.98))),
)


@cache
def field(family: int, side: str, index: int) -> np.ndarray:
    """A (256, 256) uint8 tile; the two sides share none."""
    rng = np.random.Generator(np.random.PCG64([family, list(BANDS).index(side), index]))
    return noise.to_uint8(FAMILIES[family].field(rng))


def family_of(kind: int, rng: np.random.Generator) -> int:
    """The kind's own family with probability COAT_LINK, else any of the ten."""
    return kind if rng.random() < COAT_LINK else int(rng.integers(len(FAMILIES)))


def draw(side: str, rng: np.random.Generator) -> tuple[int, list[float]]:
    """A coat of any family: its field's number, and hue, scale and contrast from the bands of its side."""
    number = int(rng.integers(FIELDS))
    return number, [float(rng.uniform(*BANDS[side][rng.integers(len(BANDS[side]))])) for _ in range(3)]


def paint(kind: int, side: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """(height, width, 3) float32 RGB in [0, 255]: a random coat of the kind's family; `side` names its BANDS."""
    height, width = shape
    number, (hue, scale, contrast) = draw(side, rng)
    family = FAMILIES[kind]
    texels = 160.0 * (0.6 + 0.9 * scale) / max(height, width)
    angle = rng.uniform(-0.4, 0.4)
    y, x = np.mgrid[0:height, 0:width] * texels
    offset = rng.integers(0, noise.TILE_PX, 2)
    values = sample(field(kind, side, number), x + angle * y + offset[0], y - angle * x + offset[1])
    mix = values.astype(np.float32) / np.float32(255)
    belly = np.float32(family.belly)
    mix = mix * (1 - belly) + belly * np.linspace(0, 1, height, dtype=np.float32)[:, None]
    mix = np.clip((mix - np.float32(0.5)) * np.float32(0.8 + 0.6 * contrast) + np.float32(0.5), 0, 1)[..., None]
    # both colours depend on one hue, as in nature
    dark, light = (np.array(blend(each, (hue, scale, contrast)), np.float32) for each in (family.dark, family.light))
    return dark + (light - dark) * mix
