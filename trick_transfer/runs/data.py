"""The data that a run reads: made, looked at and hashed; whose they are, and under which licence."""

import sys
from collections.abc import Callable
from pathlib import Path

from trick_transfer.data_sets.sources import DATA_SETS, DataSet, Part
from trick_transfer.engine.batch import Batch, too_few
from trick_transfer.engine.held_out import trained_on
from trick_transfer.engine.manifest import update_manifest

from .run import Run


def data_set(run: Run) -> DataSet | None:
    """The facts of a run's data set, if it is a known one, or one that the tier describes."""
    if facts := run.facts:
        return DataSet((Part(run.task.own_splits(facts.classes)),), licence=facts.source["licence"])
    return DATA_SETS.get(run.data_set_name)


def maker(run: Run) -> Callable[[Path], None] | None:
    """What makes embedded data in a folder; None for data that come from elsewhere."""
    facts = data_set(run)
    return facts.make if facts and run.data_root is None else None


def differing(run: Run) -> str:
    """In words, how the data differ from the known data set, as far as that shows in their files' names."""
    facts = data_set(run)
    if facts is None:
        return f"{run.data_set_name} is no known data set"
    first, *others = facts.gaps(run.root) or [""]
    return f"{first} (and {len(others):,} more)" if others else first


def licence(run: Run) -> str:
    """Of the data it reads, by what they are; of data that only the user knows, "unknown"."""
    facts = data_set(run)
    return facts.licence if facts and not differing(run) else "unknown"


def check_data(run: Run, training: bool = True) -> None:
    """Make the embedded data, refuse what cannot be read, and bring the manifest up to date.

    Without `training` only what is scored has to be there. Raises OSError or ValueError.
    """
    if make := maker(run):
        make(run.root.parent)
    if remark := look_at_data(run, training):
        print(remark, file=sys.stderr)
    if training and run.root.is_dir():
        update_manifest(run.root)


def check_filled(run: Run, batch: Batch) -> None:
    """Raise ValueError for own images so few that each epoch would drop its only batch, before anything is trained."""
    cfg = run.layers.cfg
    facts = run.facts if cfg.train_dataloader.get("drop_last") and cfg.get("max_epochs", 1) else None
    if facts and (images := trained_on(cfg, facts.counts["train"])) < batch.per_device * batch.devices:
        raise ValueError(f"{run.stage}: {too_few(images, batch.per_device)}")


def fitted(run: Run) -> str:
    """In words, that the lengths in a tier's file were chosen for another number of images; empty if they were not.

    Raises ValueError for a file that was written when no image could be read.
    """
    facts, chosen_for = run.facts, run.tier_file.parts.get(run.stage, {}).get("images")
    if not facts or chosen_for is None or not run.tier.endswith(".py"):
        return ""
    there = facts.counts["train"]
    said = f"{run.stage}: the lengths in {run.tier} were chosen for {chosen_for:,} images, and {there:,} are there"
    mend = "delete it to have it written anew, or correct its images and lengths"
    if not chosen_for:
        raise ValueError(f"{said}; {mend}")
    return f"{said}; {mend}" if max(there, chosen_for) > 2 * min(there, chosen_for) else ""


def look_at_data(run: Run, training: bool = True) -> str:
    """Refuse what is missing, incomplete or cannot be read, and write nothing; returns a remark on own data.

    Data that are not the data set's are the user's own, if the user names their folder. Raises OSError, ValueError.
    """
    if run.carries_weights and not run.root.is_dir():
        return f"{run.root} does not exist: {run.name} is carried on without a score in {run.stage}"
    unfit, facts, name = fitted(run), data_set(run), run.data_set_name
    downloads = bool(facts and facts.archives)
    prepare = f"tools/data.py prepare {name} gets it, or says how" if downloads else "complete it"
    try:
        run.task.check_data(run.layers.cfg, training)
    except FileNotFoundError as error:
        if run.data_root or not downloads:
            raise
        raise FileNotFoundError(f"{error}; {prepare}") from error
    found = differing(run) if training else ""
    if not found:
        return unfit
    if facts and not run.data_root:
        own = f"data of your own need --data-root (tools/pipeline.py: --{facts.option or 'NAME'}-root)"
        raise ValueError(f"{run.root} is not {name}: {found}; {prepare}; {own}")
    run.task.check_own_data(run.layers.cfg, facts.splits if facts else ())
    return f"{run.stage}: {run.root} is taken as data of your own, not {name}: {found}" if downloads else ""
