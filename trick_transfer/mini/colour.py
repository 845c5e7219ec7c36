"""Colours as ranges of hue, saturation and value (each in [0, 1])."""

import colorsys

import numpy as np

Colour = tuple[float, float, float]
Ranges = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


def blend(ranges: Ranges, at: Colour) -> Colour:
    """The RGB colour in [0, 255] at the position `at` (each in [0, 1]) in the ranges."""
    hue, saturation, value = (low + (high - low) * t for (low, high), t in zip(ranges, at, strict=True))
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return 255.0 * red, 255.0 * green, 255.0 * blue


def pick(ranges: Ranges, rng: np.random.Generator) -> Colour:
    """A random RGB colour of the ranges, in [0, 255]."""
    first, second, third = rng.random(3)
    return blend(ranges, (first, second, third))
