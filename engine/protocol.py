"""A frozen protocol is a file of plain data beside its stage's config.py."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from mmengine.config import Config


def read_protocol(folder: Path, name: str, known: Sequence[str]) -> Config:
    """The protocol as written. Raises ValueError with the nearest names for one that does not exist."""
    if name not in known:
        near = get_close_matches(name, known, cutoff=0)
        raise ValueError(f"{folder.name} protocol {name!r} does not exist; did you mean {' or '.join(near)}?")
    return Config.fromfile(folder / f"{name}.py")
