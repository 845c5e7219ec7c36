"""Data of anyone's own: what is found in a folder that a tier describes.

A stage has formats (`Stage.formats`), functions of a folder and of options that a tier gives by name. Each returns what
it found, and says in words how it read it; `trick_transfer.own_data` splits, checks and lays out the samples.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

SPLITS = ("train", "val")
LISTED = 5  # names in a line


class Sample(NamedTuple):
    """One image. `name` is unique: its path under the folder, with forward slashes; where a file of another kind
    belongs to it, without suffix.

    `truth` is what the stage's `lay_out` takes: a class, boxes, a mask. `split` is one of SPLITS, or None where the
    source does not say it.
    """

    name: str
    image: Path
    truth: Any
    split: str | None = None

    @property
    def file_name(self) -> str:
        """A name without folders, for what is laid out in one folder."""
        return self.name.replace("/", "-").lstrip(".")


@dataclass
class Found:
    """What a format found. `classes`: in the order of their numbers.

    `reading`: one line for each thing that was guessed or is odd; `problems`: one for each that has to be mended, with
    the file, what was expected and the fix.
    """

    samples: list[Sample]
    classes: tuple[str, ...]
    reading: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def of(self, split: str) -> list[Sample]:
        return [sample for sample in self.samples if sample.split == split]

    def counts(self) -> dict[str, int]:
        """Images by split."""
        return {split: len(self.of(split)) for split in SPLITS}

    def with_samples(self, samples: Sequence[Sample]) -> Self:
        return replace(self, samples=list(samples))


Shown = Callable[[Sample, Sequence[str]], Iterable[str]]  # a sample and all classes -> those that it shows


def class_counts(found: Found, shown: Shown) -> dict[str, Counter[str]]:
    """By split the number of images that show a class."""
    return {
        split: Counter(name for each in found.of(split) for name in set(shown(each, found.classes))) for split in SPLITS
    }


def lacking(found: Found, shown: Shown, fix: str = "") -> list[str]:
    """A problem for each class that no image of a split shows."""
    counts = class_counts(found, shown)
    mend = f"correct its name, give it more images, or a split of your own{fix}, or set lacking='keep'"
    problems = []
    for name in found.classes:
        train, val = (counts[split][name] for split in SPLITS)
        if not train and not val:
            problems.append(f"class {name} has no image; {mend}")
        elif not train:
            problems.append(f"class {name} has no image in train ({val:,} in val); {mend}")
        elif not val:
            problems.append(f"class {name} has no image in val ({train:,} in train); {mend}")
    return problems


def in_order(classes: Sequence[str]) -> tuple[str, ...]:
    """A format's option `classes`: names in the order of their numbers, each once. Raises ValueError for no list."""
    if not isinstance(classes, list | tuple):
        raise ValueError(f"the option classes must be a list of names in the order of their numbers, got {classes!r}")
    return tuple(dict.fromkeys(map(str, classes)))


def listed(names: Iterable[str]) -> str:
    """The first of some names, each once, and the number of the others."""
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - LISTED:,} more" if len(distinct) > LISTED else ""
    return ", ".join(distinct[:LISTED]) + more


Format = Callable[..., Found]  # (folder, **options)
