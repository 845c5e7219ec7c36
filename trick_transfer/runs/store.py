"""A folder of results: what is sound in it, and a line for each file that is not, or has no business there."""

from pathlib import Path

from .result import FILE_NAME, OUTPUTS, Result, read


def read_all(root: Path | str) -> tuple[list[Result], list[str]]:
    """Every sound result under the root, and one line for each file left out.

    These are corrupt, duplicated or foreign files, outputs without their result, and a result with the outputs and the
    time, to the last digit, of another seed of its recipe: a copy is not a second run.
    """
    results: list[Result] = []
    problems: list[str] = []
    outputs: dict[tuple, Path] = {}  # whose they are
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
            problems.append(f"{path}: {'duplicate of' if home.is_file() else 'foreign: belongs at'} {home}")
        elif outputs.setdefault(same, path) != path:
            problems.append(f"{path}: a copy of {outputs[same].with_name(OUTPUTS)}")
        else:
            results.append(result)
    return results, problems


def stray(path: Path) -> list[str]:
    """What is wrong with a file that is no result: nothing, if it is a result's outputs."""
    if path.name != OUTPUTS:
        return [f"{path}: foreign: neither {FILE_NAME} nor {OUTPUTS}"]
    return [] if path.with_name(FILE_NAME).is_file() else [f"{path}: its {FILE_NAME} is missing"]
