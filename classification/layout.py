"""Photographs of the user's own, as training reads them: laid out as class folders, of links to the images."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from trick_transfer.engine.source import SPLITS, Found

MAX_BYTES = 255  # of a folder's name


def lacking(found: Found) -> list[str]:
    """A problem for each class without an image in a split."""
    counts = {split: Counter(sample.truth for sample in found.of(split)) for split in SPLITS}
    fix = "give it more images, or leave it out with the option classes"
    problems = []
    for number, name in enumerate(found.classes):
        train, val = (counts[split][number] for split in SPLITS)
        if not train and not val:
            problems.append(f"class {name} has no image; {fix}")
        elif not train:
            problems.append(f"class {name} has no image in train ({val:,} in val); {fix}")
        elif not val:
            problems.append(f"class {name} has no image in val ({train:,} in train); {fix}")
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
