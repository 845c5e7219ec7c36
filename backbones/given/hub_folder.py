"""A Hugging Face folder on disk: its file of weights, and its settings."""

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from trick_transfer.engine.fields import parse

from .fetching import NAMES


def weights_in(path: Path) -> Path:
    """The file of weights in a folder. Raises FileNotFoundError."""
    for name in NAMES:
        if (path / name).is_file():
            return path / name
    raise FileNotFoundError(f"{path} has neither {' nor '.join(NAMES)}; of weights in several files make one")


def settings(path: Path) -> dict[str, Any]:
    """A JSON file of a folder. Raises ValueError."""
    try:
        stated = parse(path.read_text("utf-8")) if path.is_file() else None
    except ValueError as error:
        raise ValueError(f"{path} is no JSON text: {error}; get it again") from error
    if not isinstance(stated, dict):
        raise ValueError(f"{path} does not exist, or holds no settings; give a file of weights with --arch NAME")
    return stated


def checked(kind: Any, value: Any, path: Path) -> Any:
    """A part of such a file as a type that pydantic knows. Raises ValueError of one line."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = " ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))
        raise ValueError(f"{path}: {place}") from error
