"""Photographs of the user's own, as training reads them: with numbered classes, and in class folders of links."""

import os
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from trick_transfer.engine.names import is_text
from trick_transfer.engine.source import SPLITS, Found, Sample, in_order, listed
from trick_transfer.engine.values import nearest

MAX_BYTES = 255  # of a folder's name


def numbered(samples: Iterable[Sample], known: Collection[str], wanted: Sequence[str] | None, told: Found) -> Found:
    """Samples whose truth is a class's name -> those of the wanted classes, whose truth is its number; and what was
    told of the source before.
    """
    classes = in_order(wanted) if wanted else tuple(sorted(known))
    if left := sorted(set(known) - set(classes)):
        told.reading.append(
            f"{len(left):,} classes are left out, as the option classes does not name them: {listed(left)}"
        )
    number = {name: place for place, name in enumerate(classes)}
    kept = [sample._replace(truth=number[sample.truth]) for sample in samples if sample.truth in number]
    return Found(kept, classes, told.reading, told.problems + wrong_classes(classes, known))


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


def folder_names(classes: Sequence[str]) -> list[str]:
    """A folder's name for each class: its own, or where sorting would change the order, or a name can be no visible
    folder's, its number and what of the name can be kept.
    """
    possible = [
        name.isprintable() and "/" not in name and name[:1] not in ("", ".") and len(os.fsencode(name)) <= MAX_BYTES
        for name in classes
    ]
    if all(possible) and list(classes) == sorted(classes):
        return list(classes)
    digits, safe = len(str(len(classes) - 1)), [re.sub(r"[^\w .-]", "-", name) for name in classes]
    return [f"{number:0{digits}} {name:.60}" for number, name in enumerate(safe)]


def lay_out(found: Found, root: Path) -> None:
    """root/{train,val}/<class>/<name>.jpg, as links to the images."""
    names = folder_names(found.classes)
    for split in SPLITS:
        for name in names:
            (root / split / name).mkdir(parents=True)
    for sample in found.samples:
        (root / str(sample.split) / names[sample.truth] / sample.file_name).symlink_to(sample.image.resolve())
