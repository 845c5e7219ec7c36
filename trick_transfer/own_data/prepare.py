"""A source -> a folder in the layout that training reads, whole or not at all; beside it a file with its facts."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from trick_transfer.data_sets.check import check, look
from trick_transfer.data_sets.sources import DataSet, Part
from trick_transfer.engine.files import in_turn, part_of, write_whole
from trick_transfer.engine.images import SKIPPING, inspect
from trick_transfer.engine.manifest import data_files
from trick_transfer.engine.progress import over_threads
from trick_transfer.engine.source import SPLITS, Found, Sample, listed
from trick_transfer.engine.split import refuse
from trick_transfer.engine.stage import Stage

from .source import Source
from .twins import without_twins

VERSION = 2  # raised when the same source is laid out in another way
FIX = "mend the source, or say in the tier's file how to read it, STAGE = dict(source=dict(...)): docs/data.md"
ALL = "tools/data.py check lists all"


@dataclass(frozen=True)
class Facts:
    """What was laid out: of which source, its classes, and images by split.

    `files` and `laid` are `listing`s of the source and of what was laid out, whose links may leave the source's folder.
    """

    source: dict[str, Any]
    files: str
    laid: str
    classes: list[str]
    counts: dict[str, int]
    reading: list[str] = field(default_factory=list)
    version: int = VERSION


def facts_file(root: Path) -> Path:
    """Beside the folder: it names a place on this machine, which is no part of the data."""
    return root.with_name(f"{root.name}.json")


def read_facts(root: Path) -> Facts | None:
    """The facts of a folder that `prepare` laid out; None if it is not there or of another version."""
    path = facts_file(root)
    try:
        stored = json.loads(path.read_text("utf-8")) if path.is_file() and root.is_dir() else {}
        return Facts(**stored) if stored.get("version") == VERSION else None
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is broken; delete it, and the data are laid out again") from error


def listing(folder: Path) -> str:
    """A digest of the names and times of change of a source's files; of a list's file of it alone, none for no file."""
    if folder.is_dir():
        files = data_files(folder)
    else:
        files = {folder.name: folder.stat().st_ctime_ns} if folder.exists() else {}
    return sha256(json.dumps(sorted(files.items())).encode("utf-8", "surrogatepass")).hexdigest()


def prepared(stage: Stage, source: Source, root: Path) -> Facts:
    """The facts of a source that is laid out under `root`; lays it out first where it is not, or was changed.

    Raises ValueError or OSError for data that cannot be used, with all problems counted.
    """
    if root.resolve().is_relative_to(source.folder.resolve()):
        raise ValueError(f"{root}, where these data are laid out, lies in their folder; give the tier another name")
    with in_turn(root.parent):
        facts = read_facts(root)
        there = source.stated(), listing(source.folder), listing(root)
        if facts and (facts.source, facts.files, facts.laid) == there:
            return facts
        return prepare(stage, source, root)


def prepare(stage: Stage, source: Source, root: Path) -> Facts:
    """Read, check, lay out. Says what it reads and how."""
    print(f"{stage.name}: {source.folder} is read as {source.format!r} into {root}")
    files = listing(source.folder)
    with part_of(root, folder=True) as part:
        found, problems = laid_out(stage, source, part)
        refuse(problems, f"{FIX}; {ALL}")
        facts_file(root).unlink(missing_ok=True)
        shutil.rmtree(root, ignore_errors=True)
        part.rename(root)
    facts = Facts(source.stated(), files, listing(root), list(found.classes), found.counts(), found.reading)
    text = json.dumps(asdict(facts), indent=1, ensure_ascii=False) + "\n"
    # names need not be UTF-8: a lone surrogate's escape is JSON's own
    write_whole(facts_file(root), lambda path: path.write_text(text, "utf-8", "backslashreplace"))
    return facts


def laid_out(stage: Stage, source: Source, folder: Path) -> tuple[Found, list[str]]:
    """Read a source into an empty folder, and look at every file; says how it is read, and returns the problems."""
    found = usable(source.read(stage), source, stage)
    for line in found.reading:
        print(f"  {line}")
    if found.problems:
        problems = found.problems + damaged(found.samples)
    else:
        stage.lay_out(found, folder)
        laid = check(DataSet((Part(stage.own_splits(found.classes)),)), folder, SPLITS)
        links = {str(path): os.path.realpath(path) for path in folder.rglob("*") if path.is_symlink()} if laid else {}
        problems = [replaced(line, links) for line in laid]
    return found, [line.replace(SKIPPING, " or remove it") for line in problems]  # a source has no such option


def damaged(samples: list[Sample]) -> list[str]:
    """A problem for each image that cannot be read: of samples that are not laid out, so that all is told at once."""

    def read(sample: Sample) -> Iterable[str]:
        inspect(sample.image)
        return ()

    looks = over_threads(partial(look, read), samples, "images")
    return [line for _, lines in looks for line in lines]


def replaced(line: str, words: Mapping[str, str]) -> str:
    """A line with some words in place of others: it names the user's file, not our link to it."""
    return next((line.replace(ours, theirs) for ours, theirs in words.items() if ours in line), line)


def repeated(names: Iterable[str]) -> list[str]:
    """A problem for each name that two samples have."""
    return [
        f"{times} images are called {name}; rename all but one" for name, times in Counter(names).items() if times > 1
    ]


def alike(classes: Iterable[str]) -> list[str]:
    """A line for classes whose names look the same."""
    names = sorted(classes)
    times = Counter(name.casefold().strip() for name in names)
    same = [name for name in names if times[name.casefold().strip()] > 1]
    return [f"classes whose names differ only in case, or in spaces at their ends: {listed(same)}"] * bool(same)


def usable(found: Found, source: Source, stage: Stage) -> Found:
    """What is found with the problems of the whole; without images that are there twice, if the source says so."""
    if source.duplicates != "keep":
        found = without_twins(found, drop=source.duplicates == "drop")
    found.reading += alike(found.classes)
    if not (found.classes or found.problems):
        mend = "correct the annotations, or the source's options that name classes or what is none"
        found.problems.append(f"{source.folder} shows no class; {mend}")
    found.problems += [
        f"{split} has no image; give it some, or where no split is given, set val_percent"
        for split, count in found.counts().items()
        if not count
    ]
    if source.lacking == "keep":
        found.reading += [line.partition("; ")[0] for line in stage.lacking(found)]
    else:
        found.problems += stage.lacking(found)
    found.problems += repeated(sample.file_name for sample in found.samples)
    return found
