"""What makes two Configs the same experiment, and two protocols the same rules, on any machine."""

import json
from hashlib import sha256
from typing import Any

from mmengine.config import Config

# what may differ between two machines without the numbers being another experiment's
PLACES = ("root", "data_root", "weights", "card", "num_workers", "persistent_workers", "outputs")
SOURCE = "source"  # of given weights: a file that is moved, or downloaded again, is the same by its sha256
PACKAGES = ("backbones", "classification", "detection", "probing", "segmentation", "trick_transfer")


def plain(cfg: Config) -> dict:
    """A Config as JSON data, without the places where files lie: the same on every machine."""

    def clean(node: Any) -> Any:
        if isinstance(node, dict):
            gone = (*PLACES, SOURCE) if node.get("sha256") else PLACES
            return {str(key): clean(value) for key, value in node.items() if key not in gone}
        return [clean(each) for each in node] if isinstance(node, list | tuple) else node

    return clean(cfg.to_dict())


def values(node: Any) -> Any:
    """Plain data without the names of our own classes: renaming one is no other protocol."""
    if isinstance(node, dict):
        ours = str(node.get("type")).partition(".")[0] in PACKAGES
        return {key: values(value) for key, value in node.items() if not (ours and key == "type")}
    return [values(each) for each in node] if isinstance(node, list) else node


def fingerprint(config: Any) -> str:
    """SHA-256 of nested JSON data, independent of the order of keys; a tuple counts as a list."""
    try:
        return sha256(json.dumps(config, sort_keys=True, allow_nan=False).encode()).hexdigest()
    except TypeError as error:
        raise ValueError(f"config is not plain JSON data: {error}") from None
