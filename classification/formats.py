"""Photographs of the user's own, as they are found: class folders. FORMATS has each kind by name."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path, PurePosixPath

from trick_transfer.engine.images import SUFFIXES, is_image
from trick_transfer.engine.manifest import data_files
from trick_transfer.engine.source import Found, Sample
from trick_transfer.engine.values import nearest

NAMES = {"train": ("train", "training"), "val": ("val", "valid", "validation", "test")}  # of a split's folder
OTHERS = {
    "annotations",
    "jpegimages",
    "images",
    "labels",
    "masks",
    "segmentationclass",
}  # folders of other stages' data
LISTED = 5  # names in a line


def folders(
    folder: Path, classes: Sequence[str] | None = None, train: str | None = None, val: str | None = None
) -> Found:
    """Class folders: `<train>/<class>/**/*.jpg` and `<val>/<class>/**/*.jpg`, or one of the levels only, without split.

    A class's images may lie in folders of its folder. `train` and `val` name the splits' folders ("." for class folders
    in `folder` itself); else they are train or training, and val, valid, validation or test. `classes`: those that are
    taken, in the order of their numbers; else all, sorted. Raises ValueError for a file.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder; the format 'folders' reads a folder of class folders")
    places, reading = split_folders(folder, train, val)
    samples: list[Sample] = []
    known: set[str] = set()
    for split, place in places.items():
        own = split if len(places) > 1 else None
        known |= {each.name for each in subfolders(place)}
        found, odd = class_images(place)
        samples += [Sample(under(path, folder), path, label, own) for path, label in found]
        reading += odd
    return numbered(samples, known, classes, reading)


def split_folders(folder: Path, train: str | None, val: str | None) -> tuple[dict[str, Path], list[str]]:
    """The folder of each split, one alone where there is no split; and in words, how they were found."""
    names = {"train": train or split_name(folder, "train"), "val": val or split_name(folder, "val")}
    if train == "." or names["train"] is None:
        if val:
            raise ValueError(f"{folder} has no folder of training images beside {val}; name it with the option train")
        return {"train": folder}, [f"class folders in {folder}, without a split"]
    places = {split: folder / name for split, name in names.items() if name}
    for split, place in places.items():
        if not place.is_dir():
            raise FileNotFoundError(f"{place} does not exist; correct the source's option {split}")
    reading = [f"{split}: class folders in {place}" for split, place in places.items()]
    others = [each.name for each in subfolders(folder) if each not in places.values()]
    return places, reading + [f"left out beside them: {listed(others)}"] * bool(others)


def split_name(folder: Path, split: str) -> str | None:
    """The first of a split's NAMES, in any case, that a folder in a folder has; None if there is none.

    A folder is called train for training only if it holds folders: train is also a class of vehicles.
    """
    there = {each.name.lower(): each.name for each in subfolders(folder) if subfolders(each)}
    return next((there[name] for name in NAMES[split] if name in there), None)


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted, without hidden ones."""
    return sorted(each for each in folder.glob("[!.]*") if each.is_dir())


def class_images(place: Path) -> tuple[list[tuple[Path, str]], list[str]]:
    """(image, class) of each image in class folders, sorted; and what is odd or left out, in words."""
    found, nested, loose, others = [], 0, 0, Counter[str]()
    for name in sorted(data_files(place)):
        parts = PurePosixPath(name).parts
        if not is_image(name):
            others[PurePosixPath(name).suffix or "no suffix"] += 1
        elif len(parts) == 1:
            loose += 1
        else:
            nested += len(parts) > 2
            found.append((place / name, parts[0]))
    odd = [f"{place}: {nested:,} images lie in folders of class folders, and count as their class's"] * bool(nested)
    odd += [f"{place}: {loose:,} images lie in no class folder, and are left out"] * bool(loose)
    return found, odd + [f"{place}: {line}" for line in unread(others)]


def unread(suffixes: Counter[str]) -> list[str]:
    """A line on files that training does not read, counted by suffix."""
    counts = ", ".join(f"{count:,} {suffix}" for suffix, count in suffixes.most_common())
    return [f"left out, as no {', '.join(SUFFIXES)}: {counts}; convert what are images"] * bool(suffixes)


def under(path: Path, folder: Path) -> str:
    """A path as seen from a folder, with forward slashes."""
    return path.relative_to(folder).as_posix()


def listed(names: Iterable[str]) -> str:
    """The first names, and the number of the others."""
    first = list(names)
    more = f" and {len(first) - LISTED:,} more" if len(first) > LISTED else ""
    return ", ".join(first[:LISTED]) + more


def numbered(
    samples: Iterable[Sample], known: Collection[str], wanted: Sequence[str] | None, reading: list[str]
) -> Found:
    """Samples whose truth is a class's name -> those of the wanted classes, whose truth is its number."""
    if isinstance(wanted, str):
        raise ValueError(f"the option classes must be a list of names, got {wanted!r}")
    classes = tuple(dict.fromkeys(map(str, wanted))) if wanted else tuple(sorted(known))
    if left := sorted(set(known) - set(classes)):
        reading.append(f"{len(left):,} classes are left out, as the option classes does not name them: {listed(left)}")
    alike = Counter(name.casefold().strip() for name in classes)
    if twice := [name for name in classes if alike[name.casefold().strip()] > 1]:
        reading.append(f"classes that differ only in upper and lower case or in spaces: {listed(twice)}")
    number = {name: place for place, name in enumerate(classes)}
    kept = [sample._replace(truth=number[sample.truth]) for sample in samples if sample.truth in number]
    return Found(kept, classes, reading, wrong_classes(classes, known))


def wrong_classes(classes: Sequence[str], known: Collection[str]) -> list[str]:
    """What is wrong with classes whatever their images, one line each."""
    problems = [
        f"the option classes names {name!r}, which is not there; {nearest(name, known)}"
        for name in classes
        if name not in known
    ]
    problems += [f"the class {name!a} is not written in UTF-8; rename it" for name in classes if not is_text(name)]
    if len(classes) < 2:
        found = listed(classes) or "none"
        problems.append(f"a classifier needs at least 2 classes, found {found}; is the source's folder the right one?")
    return problems


def is_text(name: str) -> bool:
    """Whether a file's name could be read as UTF-8."""
    return name.encode("utf-8", "ignore").decode() == name


def recognise(folder: Path) -> str | None:
    """`folders`, for at least two class folders that hold images, in the folder of a split or in `folder` itself."""
    place = folder / (split_name(folder, "train") or ".")
    names = {each.name for each in subfolders(place) if any(is_image(path.name) for path in each.rglob("[!.]*"))}
    return "folders" if len(names) > 1 and not OTHERS & {name.lower() for name in names} else None


FORMATS = {"folders": folders}
