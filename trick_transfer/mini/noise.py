"""The raw material of coats and surfaces: tileable random fields, their sampler, and colours from ranges of HSV.

Fields are computed in float64 and rounded to uint8, sampling is in fixed point, so results do not depend on the CPU.
"""

import colorsys
from collections.abc import Iterable

import cv2
import numpy as np
from scipy.spatial import cKDTree

TILE_PX = 256
FRACTION_BITS = 5  # of OpenCV's fixed-point maps
Ranges = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]  # of hue, saturation, value in [0, 1]


def sample(tile: np.ndarray, x: np.ndarray, y: np.ndarray, wrap: bool = True) -> np.ndarray:
    """Bilinear look-up of a uint8 picture at float coordinates; outside, it repeats (`wrap`) or is 0."""
    if wrap:
        x, y = x % tile.shape[1], y % tile.shape[0]
    scale, border = 1 << FRACTION_BITS, cv2.BORDER_WRAP if wrap else cv2.BORDER_CONSTANT
    column, row = np.floor(x * scale).astype(np.int32), np.floor(y * scale).astype(np.int32)
    whole = np.stack((column >> FRACTION_BITS, row >> FRACTION_BITS), -1).clip(-32768, 32767).astype(np.int16)
    part = ((row & (scale - 1)) * scale + (column & (scale - 1))).astype(np.uint16)
    return cv2.remap(tile, whole, part, cv2.INTER_LINEAR, borderMode=border, borderValue=0)


def fractal(rng: np.random.Generator, slope: float, waves: float = 1.0, stretch: float = 1.0) -> np.ndarray:
    """A field in [0, 1] with spectrum 1/f^slope above `waves` per tile, drawn out `stretch` times along x."""
    f_y = np.fft.fftfreq(TILE_PX)[:, None] * TILE_PX
    f_x = np.fft.rfftfreq(TILE_PX)[None] * TILE_PX * stretch
    f = np.sqrt(f_x * f_x + f_y * f_y)
    gain = np.where(f < waves, 0.0, np.maximum(f, 1.0) ** -slope)
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((TILE_PX, TILE_PX))) * gain, s=(TILE_PX, TILE_PX))
    return np.clip(0.5 + field / (5.0 * field.std()), 0.0, 1.0)


def cells(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Worley noise: distances to the nearest two of `count` points (in mean spacings), and which is nearest."""
    pixels = (np.mgrid[0:TILE_PX, 0:TILE_PX].reshape(2, -1).T + 0.5) / TILE_PX
    distance, owner = cKDTree(rng.random((count, 2)), boxsize=1.0).query(pixels, k=2)
    near, far = (distance * np.sqrt(count)).T.reshape(2, TILE_PX, TILE_PX)
    return near, far, owner[:, 0].reshape(TILE_PX, TILE_PX)


def grid(rows: int, columns: int, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A wall of `rows` x `columns` bricks: position in the brick (across, down) in [0, 1), and the brick's number."""
    down, across = np.mgrid[0:TILE_PX, 0:TILE_PX] / TILE_PX
    row = np.floor(down * rows)
    shifted = (across * columns + offset * (row % 2)) % columns
    return shifted % 1.0, (down * rows) % 1.0, (row * columns + np.floor(shifted)).astype(int)


def waves(count: int, warp: np.ndarray, strength: float) -> np.ndarray:
    """`count` stripes along x, bent by a field; in [0, 1]."""
    across = np.arange(TILE_PX)[None] / TILE_PX
    return 0.5 + 0.5 * np.sin(2 * np.pi * (count * across + strength * (warp - 0.5)))


def smoothstep(field: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((field - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def to_uint8(field: np.ndarray) -> np.ndarray:
    """[0, 1] -> uint8."""
    return np.rint(np.clip(field, 0.0, 1.0) * 255.0).astype(np.uint8)


def blend(ranges: Ranges, at: Iterable[float]) -> tuple[float, float, float]:
    """The RGB colour in [0, 255] at the position `at` (each in [0, 1]) in the ranges."""
    hue, saturation, value = (low + (high - low) * t for (low, high), t in zip(ranges, at, strict=True))
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return 255.0 * red, 255.0 * green, 255.0 * blue
