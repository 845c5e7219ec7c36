"""What a run's folder holds: whether the run is done, begun with another config, or on other data."""

import json
from pathlib import Path
from typing import Any

from mmengine.config import Config

from trick_transfer.engine.checkpoint import LATEST
from trick_transfer.engine.layers import changed_keys
from trick_transfer.engine.manifest import manifest_digest, manifest_path

from .conditions import MACHINE, asked_otherwise
from .identity import plain
from .resolve import uses_low_precision
from .result import FILE_NAME
from .run import Run


def begun(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The Config of what was begun in a stage's folder, and its conditions; both empty if nothing was.

    Raises ValueError for no JSON.
    """
    receipt = folder / "config.json"
    try:
        found = json.loads(receipt.read_text()) if receipt.is_file() else {}
    except ValueError as error:
        raise ValueError(f"{receipt} is not JSON; move {folder} away to run the stage again") from error
    machine = found.pop(MACHINE, {})
    return found, machine


def other_data(run: Run) -> str:
    """In words, how the data differ from those that a run in its folder had; empty if they do not."""
    kept = [name for name in (FILE_NAME, LATEST) if (run.folder / name).is_file()]
    had = begun(run.folder)[1].get("data_manifest")
    if not had or not kept or not run.root.is_dir():
        return ""
    hashed = manifest_path(run.root).is_file()
    has = manifest_digest(run.root) if hashed else "none yet"
    return "" if has == had else f"{run.root} has the manifest {has[:12]}, {run.folder} was run on {had[:12]}"


def check_same_data(run: Run) -> None:
    """Raise ValueError if a run in its folder had other data: neither its score nor its weights belong to these."""
    if differing := other_data(run):
        raise ValueError(
            f"the data are others: {differing}; for these data take another --work-dir, or move that folder away"
        )


def state(run: Run, cfg: Config) -> tuple[str, list[str]]:
    """done, stale (and the keys in which `cfg` differs from what was run here), started, or missing.

    A finished run is also stale where an option asks for another precision, or for compiled steps; what the machine
    would choose does not count. (An unfinished one is refused there, see `check_same`.)
    """
    stored, machine = begun(run.folder)
    if stored:
        done = (run.folder / FILE_NAME).is_file()
        changes = ["data"] if other_data(run) else []
        changes += asked_otherwise(run.precision, run.compiled, machine, uses_low_precision(cfg)) if done else []
        if changes := changes + changed_keys(stored, plain(cfg)):
            return "stale", changes
        if done:
            return "done", []
    return ("started" if (run.folder / LATEST).is_file() else "missing"), []
