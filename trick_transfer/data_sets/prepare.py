"""Fetch, check and unpack what a data set lacks; complete parts are left alone."""

from pathlib import Path

from trick_transfer.engine.files import alone

from .download import fetch
from .sources import DataSet, Part
from .unpack import unpack


def prepare(data_set: DataSet, root: Path, archives: Path) -> None:
    """Make `root` complete. Raises ValueError or OSError of one line; finished work stays and is not repeated."""
    with alone(root):
        missing = [part for part in data_set.parts if problems(part, root)]
        if missing:
            print(f"{data_set.terms}\nThe archives' folder is {archives}.", flush=True)
        for part in data_set.parts:
            if part in missing:
                fill(part, root, archives)
            print(f"{root}: {', '.join(split.name for split in part.splits)} complete", flush=True)


def fill(part: Part, root: Path, archives: Path) -> None:
    """Fetch one part's archives and unpack its files. Raises ValueError if files are missing afterwards."""
    paths = [fetch(archive, archives) for archive in part.archives]
    written = unpack(paths[0], root, part.placing(paths))
    print(f"{paths[0]}: {written:,} files unpacked", flush=True)
    wrong = problems(part, root)
    if wrong:
        raise ValueError(
            f"{paths[0]} is unpacked, but {wrong[0]}" + (f" (and {len(wrong) - 1} more)" if wrong[1:] else "")
        )


def problems(part: Part, root: Path) -> list[str]:
    """The problems that show without reading the files."""
    return [line for split in part.splits for line in split.samples(root)[1]]
