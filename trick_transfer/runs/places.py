"""Where a run lies in a work folder, and its result in the results' root; what a folder must be."""

import json
import os
from pathlib import Path

from trick_transfer.stages import STAGES

MODEL = "model.safetensors"  # a stage's final weights
LOG = "log.txt"  # what its processes print, where they have no terminal
SETTINGS = "settings.json"  # beside the card: what was set by hand


def home_of(tier: str, recipe: str, backbone_seed: int) -> Path:
    """Where all stages of one backbone lie, in the results' root as in a work folder."""
    return Path(tier, recipe, f"seed{backbone_seed}")


def folder_of(stage: str, protocol: str, seed: int, backbone_seed: int) -> str:
    """A stage's folder in it."""
    others = STAGES[stage].protocols[1:]  # a tier's own among them
    fine_tuned = "" if seed == backbone_seed else f"-seed{seed}"
    return stage + f"-{protocol}" * (protocol in others) + fine_tuned


def kept_settings(folder: Path) -> dict[str, str]:
    """The settings that made the backbone in a folder; none where it has none. Raises ValueError for a damaged file."""
    path = folder / SETTINGS
    try:
        return {**json.loads(path.read_text("utf-8"))} if path.is_file() else {}
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is not what a run wrote; train its backbone again, or delete it") from error


def check_folder(option: str, folder: Path) -> None:
    """Raise ValueError for what cannot be made a folder: a file, or a link to nothing, is on its way."""
    for place in (folder, *folder.parents):
        if place.is_symlink() and not place.exists():
            raise ValueError(f"{option} {folder}: {place} is a link to {place.readlink()}, which does not exist")
        if place.exists() and not place.is_dir():
            raise ValueError(f"{option} {folder}: {place} is a file; name a folder")


def check_writable(option: str, folder: Path) -> None:
    """Raise OSError for a folder in which nothing can be made, or that cannot be made itself."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise OSError(f"{option} {folder} cannot be written: no rights in {there}; name another folder")
