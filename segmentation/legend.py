"""What the values or colours of own masks mean, and the masks read by it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .masks import stored_mask

MOST = 254  # classes: 0 is none, and the masks that are laid out are bytes
UNKNOWN = 255  # in a legend's table
VALUES, COLOURS = 1 << 16, 1 << 24  # that a mask can hold
LISTED = 12  # values in a line


@dataclass(frozen=True)
class Legend:
    """`names`: the class of each value, or of each colour as 0xRRGGBB; `ignored`: those that mean none."""

    names: Mapping[int, str]
    ignored: frozenset[int] = frozenset()
    colours: bool = False

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """In the order of `names`; values of one name are one class. Raises ValueError for too many."""
        found = tuple(dict.fromkeys(name for value, name in self.names.items() if value not in self.ignored))
        if len(found) > MOST:
            raise ValueError(f"the masks have {len(found):,} classes, at most {MOST} are read; merge or ignore some")
        return found

    @cached_property
    def table(self) -> np.ndarray:
        """Value or colour -> 0 for none, k for class k - 1, UNKNOWN."""
        table = np.full(COLOURS if self.colours else VALUES, UNKNOWN, np.uint8)
        for value, name in self.names.items():
            if value not in self.ignored:
                table[value] = 1 + self.classes.index(name)
        table[[*self.ignored]] = 0
        return table

    def __str__(self) -> str:
        """`0 = sky, 1 = building; no class: 11`."""
        named = [f"{self.said([value])} = {name}" for value, name in self.names.items() if value not in self.ignored]
        return said(named) + f"; no class: {self.said(self.ignored) or 'none'}"

    def said(self, values: Iterable[int]) -> str:
        """Values or colours in words."""
        return said([colour(value) for value in sorted(values)] if self.colours else sorted(values))


class Mask(NamedTuple):
    """A mask's file, what its values mean, and those that it holds."""

    path: Path
    legend: Legend
    held: frozenset[int] = frozenset()

    def classes(self) -> set[str]:
        """Those that it shows."""
        return {self.legend.names[value] for value in self.held & self.legend.names.keys() - self.legend.ignored}

    def numbers(self) -> np.ndarray:
        """(H, W) uint8: 0 for no class, k for class k - 1. Raises ValueError for a value without meaning."""
        raw = raw_values(self.path, self.legend.colours)
        numbers = self.legend.table[raw]
        if (numbers == UNKNOWN).any():
            values = np.unique(raw[numbers == UNKNOWN]).tolist()
            raise ValueError(f"mask {self.path} holds {self.legend.said(values)}, which means nothing")
        return numbers


def colour(code: int) -> tuple[int, int, int]:
    """0xRRGGBB -> (r, g, b)."""
    return code >> 16, code >> 8 & 255, code & 255


def is_colour(value: Any) -> bool:
    """Whether it is three whole numbers."""
    return isinstance(value, list | tuple) and len(value) == 3 and all(isinstance(part, int) for part in value)


def code(rgb: Sequence[int]) -> int:
    """(r, g, b) -> 0xRRGGBB. Raises ValueError for what is no colour."""
    if not is_colour(rgb) or not all(0 <= part <= 255 for part in rgb):
        raise ValueError(f"a colour is (r, g, b) of 0 to 255, got {rgb!r:.60}")
    return rgb[0] << 16 | rgb[1] << 8 | rgb[2]


def said(values: Sequence[Any]) -> str:
    """`0, 1, 255`; of many, the first, their number and the last."""
    words = [str(value) for value in values]
    return ", ".join(words if len(words) <= LISTED else [*words[:3], f"... ({len(words):,} values)", words[-1]])


def raw_values(path: Path, colours: bool) -> np.ndarray:
    """(H, W) values, or colours as 0xRRGGBB, without alpha. Raises ValueError for colours where values are expected."""
    if colours:
        return stored_mask(path, "RGB").astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    pixels = stored_mask(path)
    if not is_grey(pixels):
        raise ValueError(
            f"mask {path} is in colours; format='pairs' reads such by colours={{'name': (r, g, b), ...}}, or by a file"
        )
    pixels = pixels[..., 0] if pixels.ndim == 3 else pixels
    if pixels.dtype.kind == "f" or not 0 <= pixels.min() <= pixels.max() < VALUES:  # of a TIFF named .png
        raise ValueError(f"mask {path} holds numbers that are no values of 8 or 16 bits; store it as such a PNG")
    return pixels.astype(np.uint8) if pixels.dtype == bool else pixels


def is_grey(pixels: np.ndarray) -> bool:
    """Whether (H, W) or (H, W, channels) pixels have one value each, beside alpha."""
    return pixels.ndim == 2 or pixels.shape[2] < 3 or bool((pixels[..., :3] == pixels[..., :1]).all())


def in_colours(path: Path) -> bool:
    """Whether a mask holds colours."""
    return not is_grey(stored_mask(path))
