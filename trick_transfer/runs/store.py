"""A folder of results: the sound ones, and one line for each file that is broken or does not belong there.

`results/` is the reference, shipped with the code; a run writes its own results below its work folder.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import copyfile

from trick_transfer.engine.files import write_whole

from .result import FILE_NAME, OUTPUTS, Result, read


@dataclass(frozen=True)
class Stored:
    """A result and the folder that holds it; `own`: of one's own runs, not of the reference."""

    result: Result
    folder: Path
    own: bool = False

    @property
    def outputs(self) -> Path:
        """The per-image outputs, from which the metrics can be recomputed."""
        return self.folder / OUTPUTS

    @property
    def name(self) -> str:
        """Unique among the reference and one's own."""
        return f"yours/{self.result.folder}" if self.own else str(self.result.folder)


def read_all(root: Path | str) -> tuple[list[Result], list[str]]:
    """Every sound result under the root, and one line for each file left out."""
    stored, problems = read_stored(root)
    return [each.result for each in stored], problems


def read_stored(root: Path | str, own: bool = False) -> tuple[list[Stored], list[str]]:
    """Every sound result under the root with its folder, and one line for each file left out.

    Left out: corrupt, duplicate or misplaced files, outputs without their result, and a copy of another seed's run,
    known by the same outputs and the same time to the last digit.
    """
    stored: list[Stored] = []
    problems: list[str] = []
    outputs: dict[tuple, Path] = {}  # the first result with them
    for path in sorted(path for path in Path(root).rglob("*") if path.is_file() and path.name[0] != "."):
        if path.suffix != ".json":
            problems += stray(path)
            continue
        try:
            result = read(path)
        except (ValueError, OSError) as fault:
            problems.append(str(fault))
            continue
        home = Path(root) / result.folder / FILE_NAME
        same = result.tier, result.recipe, result.stage, result.protocol, result.outputs_sha256, result.seconds
        if path != home:
            problems.append(f"{path}: {'duplicate of' if home.is_file() else 'misplaced: belongs at'} {home}")
        elif outputs.setdefault(same, path) != path:
            problems.append(f"{path}: a copy of {outputs[same].with_name(OUTPUTS)}")
        else:
            stored.append(Stored(result, path.parent, own))
    return stored, problems


def read_both(reference: Path, own: Path) -> tuple[list[Stored], list[str]]:
    """The reference's results and one's own; either folder may be missing."""
    stored, problems = read_stored(reference)
    mine, faults = ([], []) if own.resolve() == reference.resolve() else read_stored(own, own=True)
    return stored + mine, problems + faults


def stray(path: Path) -> list[str]:
    """The problem with a file that is no result; none, if it is a result's outputs."""
    if path.name != OUTPUTS:
        return [f"{path}: neither {FILE_NAME} nor {OUTPUTS}; move it elsewhere"]
    return [] if path.with_name(FILE_NAME).is_file() else [f"{path}: its {FILE_NAME} is missing"]


def selected(stored: Iterable[Stored], row: str | None) -> list[Stored]:
    """The results in a folder relative to their root, or of a recipe; all without a row."""
    return [
        each for each in stored if not row or each.result.folder.is_relative_to(row) or row in each.result.folder.parts
    ]


def move(stored: Stored, root: Path) -> Path:
    """Move a result and its outputs to another root, the result last: where it lies, its outputs do. Returns where."""
    folder = root / stored.result.folder
    for name in (OUTPUTS, FILE_NAME):
        write_whole(folder / name, partial(copyfile, stored.folder / name))
    for name in (FILE_NAME, OUTPUTS):
        (stored.folder / name).unlink()
    return folder
