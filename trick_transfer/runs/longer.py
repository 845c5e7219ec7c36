"""A run that is a finished one, trained longer: it goes on from that one's end where this gives the same weights.

The end's state, `state.pth`, is kept on demand (`--keep-state`): with its momentum it is twice the size of the weights.
"""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from shutil import copyfile
from typing import Any

from trick_transfer.engine.batch import Batch
from trick_transfer.engine.checkpoint import LATEST
from trick_transfer.engine.files import write_whole
from trick_transfer.engine.held_out import HELD_OUT
from trick_transfer.engine.layers import Layers, changed_keys
from trick_transfer.engine.optimiser import ENDLESS

from .conditions import UNSTATED
from .identity import plain
from .resolve import resolve
from .result import FILE_NAME
from .run import Run
from .state import begun

STATE = "state.pth"  # what `latest.pth` was at the end
EPOCHS = ("max_epochs", "train_cfg.max_epochs")  # the keys of a training's length
LENGTH = (*EPOCHS, "train_cfg.val_begin")


def go_on(run: Run, layers: Layers, batch: Batch, now: Mapping[str, Any]) -> None:
    """Make the state of the longest run that is this one but shorter this run's checkpoint; says so, or why not.

    `now` are the conditions of this run, as config.json has them.
    """
    found = [(hindrance(run, layers, batch, now, folder), folder, epochs) for folder, epochs in shorter(run, layers)]
    for reason, folder, epochs in sorted(found, key=lambda each: bool(each[0]))[:1]:
        if reason:
            said = f"{folder} is this run with {epochs} epochs, but {reason}: this one starts from the beginning"
        else:
            write_whole(run.folder / LATEST, partial(copyfile, folder / STATE))
            said = f"goes on from the end of {folder}, epoch {epochs}"
        print(f"{run.title}: {said}", file=sys.stderr)


def shorter(run: Run, layers: Layers) -> list[tuple[Path, int]]:
    """The folders of finished runs that differ from this one in that they have fewer epochs; the longest run first."""
    found, mine = [], plain(layers.cfg)
    for folder in (run.work_dir / run.tier_file.name).glob(f"*/{run.folder.parent.name}/{run.folder.name}"):
        if not (folder / FILE_NAME).is_file():
            continue
        stored, _ = begun(folder)
        if set(changed_keys(stored, mine)) <= set(LENGTH) and 0 < length(stored) < length(mine):
            found.append((folder, length(stored)))
    return sorted(found, key=lambda each: -each[1])


def length(cfg: Mapping[str, Any]) -> int:
    """The epochs of a Config as plain data."""
    return cfg["max_epochs"] if "max_epochs" in cfg else cfg["train_cfg"]["max_epochs"]


def hindrance(run: Run, layers: Layers, batch: Batch, now: Mapping[str, Any], folder: Path) -> str:
    """In words, why going on from a shorter run's end is not what training from the beginning is; empty if it is."""
    stored, before = begun(folder)
    keys = ("data_manifest", "norm_parts", "low_precision", "compiled")
    differing = [key for key in keys if before.get(key, UNSTATED.get(key)) != now[key]]
    ours, theirs = (schedules(run, each, batch) for each in (layers, with_length(layers, stored)))
    if bound := [each["type"] for each in ours if each not in theirs or ends_with_training(each)]:
        return f"the rate of every step depends on the number of epochs ({', '.join(bound)})"
    if HELD_OUT in layers.cfg:
        return "held-out images choose an epoch of its own"
    if differing:
        return f"it had another {differing[0]}"
    if not run.task.trains_backbone and max(before.get("accumulation", 1), batch.accumulation) > 1:
        return "its last update may have had fewer accumulated steps"  # classification's epochs end with a whole one
    return "" if (folder / STATE).is_file() else "its state was not kept (--keep-state keeps it)"


def schedules(run: Run, layers: Layers, batch: Batch) -> list[dict[str, Any]]:
    """Those of the rate, as a Runner reads them."""
    return plain(resolve(run, layers, batch).cfg)["param_scheduler"]


def ends_with_training(schedule: Mapping[str, Any]) -> bool:
    """Whether a schedule states no end, and needs one: mmengine takes the training's."""
    return "end" not in schedule and schedule["type"] not in ENDLESS


def with_length(layers: Layers, cfg: Mapping[str, Any]) -> Layers:
    """The layers with the length of another Config."""
    made = layers.copy()
    made.cfg.merge_from_dict({key: length(cfg) for key in EPOCHS if key.split(".")[0] in made.cfg})
    return made
