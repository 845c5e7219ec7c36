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


def read_stored(root: Path | str, own: bool = False) -> tuple[list[Stored], list[str]]:
    """Every sound result under the root, and one line for each file left out.

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
    """A result that is where it belongs and is no copy of one in `outputs`. Raises ValueError or OSError for others."""
    result = read(path)
    home = root / result.folder / FILE_NAME
    if path != home:
        raise ValueError(f"{path}: {'duplicate of' if home.is_file() else 'misplaced: belongs at'} {home}")
    same = result.tier, result.recipe, result.stage, result.protocol, result.outputs_sha256, result.seconds
    if outputs.setdefault(same, path) != path:
        raise ValueError(f"{path}: a copy of {outputs[same].with_name(OUTPUTS)}")
    return result


def read_both(reference: Path, own: Path) -> tuple[list[Stored], list[str]]:
    """The reference's results and one's own; either folder may be missing."""
    stored, problems = read_stored(reference)
    mine, faults = ([], []) if own.resolve() == reference.resolve() else read_stored(own, own=True)
    return stored + mine, problems + faults


def selected(stored: Iterable[Stored], row: str) -> list[Stored]:
    """The results in a folder relative to their root, or of a recipe; all for an empty row."""
    places = ((each, each.result.folder) for each in stored)
    return [each for each, folder in places if not row or folder.is_relative_to(row) or row in folder.parts]


def move(stored: Stored, root: Path) -> Path:
    """Move a result and its outputs to another root, the result last: where it lies, its outputs do. Returns where."""
    folder = root / stored.result.folder
    for name in (OUTPUTS, FILE_NAME):
        write_whole(folder / name, partial(copyfile, stored.folder / name))
    for name in (FILE_NAME, OUTPUTS):
        (stored.folder / name).unlink()
    return folder
