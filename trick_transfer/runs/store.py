"""A folder of results: the valid ones, and one line for each file that is broken or misplaced.

`results/` is the reference, shipped with the code; a run writes its own results below its work folder.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import copyfile

from trick_transfer.engine.files import write_whole
from trick_transfer.engine.receipt import ROOT

from .result import FILE_NAME, OUTPUTS, Result, read


@dataclass(frozen=True)
class Stored:
    """A result and its folder; `own`: of your own runs, not of the reference."""

    result: Result
    folder: Path
    own: bool = False

    @property
    def outputs(self) -> Path:
        """The per-image outputs, from which the metrics can be recomputed."""
        return self.folder / OUTPUTS

    @property
    def name(self) -> str:
        """Unique among the reference and your own results."""
        return f"yours/{self.result.folder}" if self.own else str(self.result.folder)


def reference() -> Path:
    """The reference's folder: `results` here, elsewhere the checkout's (which an installed wheel does not have)."""
    here = Path("results")
    return here if here.is_dir() else ROOT / here


def read_stored(root: Path | str, own: bool = False) -> tuple[list[Stored], list[str]]:
    """Every valid result under the root, and one line for each file left out.

    Left out: corrupt, duplicate or misplaced files, outputs without their result, and a copy of another seed's run,
    known by the same outputs and the same time to the last digit.
    """
    stored: list[Stored] = []
    problems: list[str] = []
    outputs: dict[tuple, Path] = {}  # the first result with them
    for path in sorted(path for path in Path(root).rglob("*") if path.is_file() and path.name[0] != "."):
        try:
            if path.suffix == ".json":
                stored.append(Stored(placed(path, Path(root), outputs), path.parent, own))
            elif path.name != OUTPUTS:
                raise ValueError(f"{path}: neither {FILE_NAME} nor {OUTPUTS}; move it elsewhere")
            elif not path.with_name(FILE_NAME).is_file():
                raise ValueError(f"{path}: its {FILE_NAME} is missing")
        except (ValueError, OSError) as fault:
            problems.append(str(fault))
    return stored, problems


def placed(path: Path, root: Path, outputs: dict[tuple, Path]) -> Result:
    """A result, if it is in its place and no copy of one in `outputs`; else raises ValueError or OSError."""
    result = read(path)
    home = root / result.folder / FILE_NAME
    if path != home:
        raise ValueError(f"{path}: {'duplicate of' if home.is_file() else 'misplaced: belongs at'} {home}")
    same = result.tier, result.recipe, result.stage, result.protocol, result.outputs_sha256, result.seconds
    if outputs.setdefault(same, path) != path:
        raise ValueError(f"{path}: a copy of {outputs[same].with_name(OUTPUTS)}")
    return result


def read_both(reference: Path, own: Path) -> tuple[list[Stored], list[str]]:
    """The reference results and your own; either folder may be missing."""
    stored, problems = read_stored(reference)
    mine, faults = ([], []) if own.resolve() == reference.resolve() else read_stored(own, own=True)
    return stored + mine, problems + faults


def selected(stored: Iterable[Stored], row: str) -> list[Stored]:
    """The results in a folder relative to their root, or of a recipe; all for an empty row."""
    places = ((each, each.result.folder) for each in stored)
    return [each for each, folder in places if not row or folder.is_relative_to(row) or row in folder.parts]


def move(stored: Stored, root: Path) -> Path:
    """Move a result and its outputs to another root, the result last. Returns the new folder."""
    folder = root / stored.result.folder
    names = [OUTPUTS, FILE_NAME] if stored.result.samples_scored else [FILE_NAME]
    for name in names:
        write_whole(folder / name, partial(copyfile, stored.folder / name))
    for name in reversed(names):
        (stored.folder / name).unlink()
    return folder
