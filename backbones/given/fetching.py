"""Files of weights that libraries know by name: from their caches on disk, else from where they are published."""

import os
from pathlib import Path

import torch
from torch.hub import HASH_REGEX, download_url_to_file

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
