"""Check every file of a data set: counts, decoding, boxes, masks, classes, and changes since the manifest."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from trick_transfer.engine.manifest import (
    MANIFEST,
    data_files,
    manifest_path,
    read_manifest,
    sha256_of,
    update_manifest,
)
from trick_transfer.engine.progress import over_threads
from trick_transfer.engine.split import Reader, Split

from .sources import DataSet

FEW = 20  # classes that are listed one by one


def checked(data_set: DataSet, root: Path) -> bool:
    """Print a data set's problems; if there are none, write a missing manifest. Returns whether there are none."""
    if not root.is_dir():
        raise FileNotFoundError(f"{root} does not exist; tools/data.py prepare makes it (its --help lists the names)")
    problems = check(data_set, root)
    if manifest_path(root).is_file():
        problems += changed(root)
    if not problems:
        print(f"{root}: no problems; {MANIFEST} has sha256 {update_manifest(root)}")
        return True
    print(*problems, sep="\n")
    if data_set.gaps(root) and any(split.images for split in data_set.splits):
        print(f"{root} is not the published data set; --own checks data of your own")
    print(f"{root}: {len(problems):,} problems, see above")
    return False


def check(data_set: DataSet, root: Path, names: Sequence[str] = ()) -> list[str]:
    """Print a summary of every split, under its name or those given; returns the problems, one line each."""
    problems: list[str] = []
    for split, name in zip(data_set.splits, names or [split.name for split in data_set.splits], strict=True):
        samples, wrong = split.samples(root)
        problems += wrong
        counts: Counter[str] = Counter()  # samples of each class; objects, for boxes
        for seen, unreadable in over_threads(partial(look, split.reader()), samples, name):
            counts.update(seen)
            problems += unreadable
        print(f"{name}: {summary(split, len(samples), counts)}", flush=True)
    classes = {split.name: split.labels(root) for split in data_set.splits}
    known = set().union(*classes.values())
    return problems + [
        f"{root / name} lacks the class {each}, which another split has"
        for name, found in classes.items()
        for each in sorted(known - found if found else ())
    ]


def look(reader: Reader, sample: Any) -> tuple[Iterable[str], list[str]]:
    """One sample's classes, and its problem, if it has one."""
    try:
        return reader(sample), []
    except (ValueError, OSError) as error:
        return [], [str(error)]


def summary(split: Split, samples: int, counts: Counter[str]) -> str:
    """`1,281,167 of 1,281,167 images; 1,000 classes, each 732 to 1,300 times (median 1,300); empty: none`.

    Of few classes, each one's number: `240 images; 3 classes: daisy 80, rose 100, tulip 60; empty: none`.
    """
    images = f"{samples:,} images" if split.images is None else f"{samples:,} of {split.images:,} images"
    if not split.labelled:
        return f"{images}, without labels"
    numbers = sorted(counts.values()) or [0]
    each = f", each {numbers[0]:,} to {numbers[-1]:,} times (median {median(numbers):,.0f})"
    if 0 < len(counts) <= FEW:
        each = ": " + ", ".join(f"{name} {counts[name]:,}" for name in sorted(counts))
    empty = ", ".join(split.empty(set(counts))) or "none"
    return f"{images}; {len(counts):,} classes{each}; empty: {empty}"


def changed(root: Path) -> list[str]:
    """Files that changed since the manifest was written, are gone, or are new; each file is hashed."""
    known, names = read_manifest(root), sorted(data_files(root))
    hashes = over_threads(sha256_of, [root / name for name in names], f"comparing with {MANIFEST}")
    found = [(name, "changed") for name, digest in zip(names, hashes, strict=True) if known.get(name, digest) != digest]
    found += [(name, "is gone") for name in sorted(known.keys() - set(names))]
    found += [(name, "is new") for name in names if name not in known]
    return [f"{root / name} {what} since {MANIFEST} was written" for name, what in found]
