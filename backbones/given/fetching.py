"""Files of weights that libraries know by name: from their caches on disk, else from where they are published.

And those of a Hugging Face folder.
"""

import os
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch.hub import HASH_REGEX, download_url_to_file

from trick_transfer.engine.fields import parse

NAMES = ("model.safetensors", "pytorch_model.bin")  # on the hub, the safe one first


def cached(url: str) -> Path:
    """Where torch's hub keeps a file."""
    return Path(torch.hub.get_dir(), "checkpoints", os.path.basename(url))


def of_url(url: str) -> Path:
    """A file of torch's hub, fetched if it is not there. Raises OSError where it cannot be."""
    path = cached(url)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        begins = HASH_REGEX.search(path.name)
        download_url_to_file(url, str(path), begins[1] if begins else None)
    return path


def of_hub(repository: str) -> Path:
    """The first of these files that Hugging Face's cache has, else its hub. Raises what its client raises."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    for name in NAMES:
        if isinstance(found := try_to_load_from_cache(repository, name), str):
            return Path(found)
    try:
        return Path(hf_hub_download(repository, NAMES[0]))
    except LocalEntryNotFoundError:  # there is no network
        raise
    except EntryNotFoundError:  # there is no such file
        return Path(hf_hub_download(repository, NAMES[1]))


def of_folder(path: Path) -> Path:
    """The first of these files in a Hugging Face folder. Raises FileNotFoundError."""
    for name in NAMES:
        if (path / name).is_file():
            return path / name
    raise FileNotFoundError(f"{path} has neither {' nor '.join(NAMES)}; of weights in several files make one")


def settings(path: Path) -> dict[str, Any]:
    """A JSON file of a Hugging Face folder. Raises ValueError."""
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
