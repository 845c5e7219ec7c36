"""The standing diagnostic of `mini`: animals in another kind's coat tell whether a network reads shapes or coats."""

from collections.abc import Sequence
from pathlib import Path


def follows(files: Sequence[str], said: Sequence[str]) -> dict[str, float]:
    """Files <shape>/<coat>_<n>.jpg and the kinds said -> how often those are the shape and the coat, in percent."""
    shapes = [Path(file).parent.name for file in files]
    coats = [Path(file).stem.split("_")[0] for file in files]
    return {"follows_shape": share(said, shapes), "follows_coat": share(said, coats)}


def share(said: Sequence[str], true: Sequence[str]) -> float:
    """Percent of equal pairs."""
    return 100 * sum(a == b for a, b in zip(said, true, strict=True)) / len(true)
