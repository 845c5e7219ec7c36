"""Images that are in both splits: equal files, and pictures that look alike by a perceptual hash."""

from typing import NamedTuple

from trick_transfer.engine.source import Found, Sample


class Twins(NamedTuple):
    """An image for training, and one that is scored; `alike`: not equal byte by byte."""

    train: Sample
    val: Sample
    alike: bool


def twins(found: Found) -> list[Twins]:
    """Every training image that is, or looks like, a scored one, in the order of names; one scored image for each."""
    return []
