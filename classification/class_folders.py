"""Photographs of the user's own in class folders."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from trick_transfer.engine import archives
from trick_transfer.engine.archives import subfolders
from trick_transfer.engine.images import SUFFIXES, is_image
from trick_transfer.engine.manifest import data_files
from trick_transfer.engine.names import set_of
from trick_transfer.engine.source import Found, Sample, listed

from .layout import numbered

SETS_OF = {"train": ("train", "trainval"), "val": ("val", "test")}  # of each split the first that is there


def folders(
    folder: Path, classes: Sequence[str] | None = None, train: str | None = None, val: str | None = None
) -> Found:
    """Class folders: `<train>/<class>/**/*.jpg` and `<val>/<class>/**/*.jpg`, or one of the levels only, without split.

    A class's images may lie in folders of its folder. `train` and `val` name the splits' folders ("." for class folders
    in `folder` itself); else they are train or trainval, and val or test, or other words for them (engine/names.py).
    `classes`: those that are taken, in the order of their numbers; else all, sorted. Raises ValueError for a file.
    """
    if not archives.is_dir(folder):
        raise ValueError(f"{folder} is no folder; the format 'folders' reads a folder of class folders")
    folder = archives.top(folder)
    places, reading = split_folders(folder, train, val)
    told, samples = Found([], (), reading), []
    for split, place in places.items():
        for path, label in class_images(place, told):
            name = (called(place, folder) / path.relative_to(place)).as_posix()
            samples.append(Sample(name, path, label, split if len(places) > 1 else None))
    known = {each.name for place in places.values() for each in subfolders(place)}
    return numbered(samples, known, classes, told)


def split_folders(folder: Path, train: str | None, val: str | None) -> tuple[dict[str, Path], list[str]]:
    """The folder of each split, one alone where there is no split; and in words, how they were found."""
    names = {"train": train or split_name(folder, "train"), "val": val or split_name(folder, "val")}
    if train == "." or names["train"] is None:
        if val:
            raise ValueError(f"{folder} has no folder of training images beside {val}; name it with the option train")
        return {"train": folder}, [f"class folders in {folder}, without a split"]
    places = {split: archives.top(folder / name) for split, name in names.items() if name}
    for split, place in places.items():
        if not archives.is_dir(place):
            raise FileNotFoundError(f"{place} does not exist; correct the source's option {split}")
    reading = [f"{split}: class folders in {place}" for split, place in places.items()]
    others = [each.name for each in subfolders(folder) if each not in places.values()]
    return places, reading + [f"left out beside them: {listed(others)}"] * bool(others)


def split_name(folder: Path, split: str) -> str | None:
    """The name of the folder in a folder that means a split; None if there is none.

    A folder is called train for training only if it holds folders: train is also a class of vehicles.
    """
    there = {set_of(each.stem): each.name for each in reversed(packed(folder))}
    there |= {set_of(each.name): each.name for each in reversed(subfolders(folder)) if subfolders(each)}
    return first_of(split, there)


def first_of(split: str, there: Mapping[str | None, Any]) -> Any:
    """What there is of the first set that a split takes; None if there is none."""
    return next((there[name] for name in SETS_OF[split] if name in there), None)


def called(place: Path, folder: Path) -> PurePosixPath:
    """A split's folder as seen from the source's; in an archive, as if that were a folder of its name."""
    parts = place.relative_to(folder).parts
    archived = parts and archives.is_archive(folder / parts[0])
    return PurePosixPath(Path(parts[0]).stem) if archived else PurePosixPath(*parts)


def packed(folder: Path) -> list[Path]:
    """The archives in a folder that are called as a split is, sorted."""
    there = (each for each in folder.glob("[!.]*") if each.suffix.lower() in archives.SUFFIXES and set_of(each.stem))
    return sorted(filter(archives.is_archive, there))


def class_images(place: Path, told: Found) -> list[tuple[Path, str]]:
    """(image, class) of each image in class folders, sorted; what is odd or left out is told."""
    found, nested, loose, others = [], list[str](), list[str](), Counter[str]()
    for name in sorted(data_files(place)):
        parts = PurePosixPath(name).parts
        if not is_image(name):
            others[suffix_of(name)] += 1
        elif len(parts) == 1:
            loose.append(name)
        else:
            nested += [name] * (len(parts) > 2)
            found.append((place / name, parts[0]))
    for images, what in (
        (nested, "lie in folders of class folders, and count as their class's"),
        (loose, "lie in no class folder, and are left out"),
    ):
        told.reading += [f"{place}: {len(images):,} images {what} ({listed(images)})"] * bool(images)
    if nested and all(set_of(PurePosixPath(name).parts[1]) for name in nested):
        inside = listed(PurePosixPath(name).parent.as_posix() for name in nested)
        told.problems.append(f"{place} has its split inside the classes ({inside}); make it train/CLASS and val/CLASS")
    tell_unread(place, others, told)
    told.problems += [f"{link} is a link to nothing; mend or delete it" for link in broken_links(place)]
    return found


def broken_links(place: Path) -> Iterator[str]:
    """The links below a folder to what does not exist."""
    for folder, _, names in os.walk(place):
        for path in (os.path.join(folder, name) for name in names if name[0] != "."):
            if os.path.islink(path) and not os.path.exists(path):
                yield path


def suffix_of(name: str) -> str:
    """A file's suffix in words."""
    return PurePosixPath(name).suffix or "without suffix"


def tell_unread(place: Path, suffixes: Counter[str], told: Found) -> None:
    """Tell of files that training does not read, counted by suffix."""
    if suffixes:
        counts = ", ".join(f"{count:,} {suffix}" for suffix, count in suffixes.most_common())
        told.reading.append(f"{place}: left out, as no {', '.join(SUFFIXES)}: {counts}; convert what are images")


def under(path: Path, folder: Path) -> str:
    """A path as seen from a folder, with forward slashes."""
    return path.relative_to(folder).as_posix()
