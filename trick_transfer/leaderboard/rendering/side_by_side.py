"""Predictions of a table's rows on the same few images, for the page.

The images are spread evenly over the test set. The page shows a recipe's first run, and a table's first rows. Pictures
of VOC and ADE20K keep their own terms: check these before you publish a page of tier `paper`.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from trick_transfer.engine.files import file_sha256, read_arrays
from trick_transfer.engine.images import is_image
from trick_transfer.engine.manifest import manifest_digest, read_manifest
from trick_transfer.engine.pictures import Seen, photo, rgb
from trick_transfer.runs import tiers
from trick_transfer.runs.store import Stored
from trick_transfer.stages import STAGES

from ..scores.load import reading
from ..table import Analysis, Table

ROWS = 24


def collect(analysis: Analysis, data: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """For each table {stage: {classes, colours, images, rows}}, without stages that lack stored outputs or data.

    And one line for each row or image that cannot be drawn.
    """
    faults: list[str] = []
    made = [of_table(table, analysis.runs, data, faults) for table in analysis.tables]
    return made, list(dict.fromkeys(faults))  # tables may share rows and images


def of_table(table: Table, runs: Mapping[str, Stored], data: Path, faults: list[str]) -> dict[str, Any]:
    """The stages of one table; adds to `faults`."""
    made: dict[str, Any] = {}
    for name, stage in STAGES.items():
        folder = (tiers.load(table.tier).data(name) if table.tier in tiers.NAMES else None) or stage.data_set
        if (data / table.tier / name).is_dir():  # a tier of the user's own
            folder = f"{table.tier}/{name}"
        first = {row.recipe: runs[run.path] for row in table.rows for run in reversed(row.runs) if run.stage == name}
        seen = {recipe: found for recipe, run in [*first.items()][:ROWS] if (found := predictions(run, faults))}
        files = listed(data / folder) if seen else {}
        if files:
            digest = manifest_digest(data / folder)
            own = {}
            for recipe, each in seen.items():  # a run on data elsewhere has no pictures here, which is no fault
                here = first[recipe].result.data_manifest == digest
                if of_the_data(recipe, each, files, faults if here else []):
                    own[recipe] = each
            made |= {name: side_by_side(own, files, faults)} if own else {}
    return {name: drawn for name, drawn in made.items() if drawn["images"]}


def listed(folder: Path) -> dict[str, Path]:
    """The data's files by their paths in the manifest, and images by these without suffix, too."""
    files = {path: folder / path for path in read_manifest(folder)}
    return {path.rpartition(".")[0]: file for path, file in files.items() if is_image(path)} | files


def predictions(run: Stored, faults: list[str]) -> Seen | None:
    """A run's predictions; None if its outputs, or the pictures in them, are missing or cannot be read (`faults`)."""
    try:
        with suppress(FileNotFoundError), reading(run.outputs, "pictures"), suppress(KeyError):
            if file_sha256(run.outputs) == run.result.outputs_sha256:
                return STAGES[run.result.stage].seen(read_arrays(run.outputs), run.result.config)
    except (ValueError, OSError) as fault:
        faults.append(f"not drawn: {fault}")
    return None


def side_by_side(seen: Mapping[str, Seen], files: Mapping[str, Path], faults: list[str]) -> dict[str, Any]:
    """The rows that saw the same images as the first, and those images; adds to `faults`."""
    first = next(iter(seen.values()))
    images: dict[int, dict[str, Any]] = {}
    for place, path in enumerate(first.images):
        try:
            images[place] = photo(files[path], first.turned(files, place)) | {"truth": first.truth(files, place)}
        except (ValueError, OSError) as fault:
            faults.append(f"not drawn: {fault}")
        except KeyError as name:
            faults.append(f"not drawn: {files[path]}: its truth {name} is no file of the data")
    return {
        "classes": first.classes,
        "colours": [f"#{bytes(rgb(label)).hex()}" for label in range(len(first.classes))],
        "images": [*images.values()],
        "rows": {name: [each.found[at] for at in images] for name, each in seen.items() if each.names == first.names},
    }


def of_the_data(recipe: str, seen: Seen, files: Mapping[str, Path], faults: list[str]) -> bool:
    """Whether a row shows the data's own files only: its outputs may name any; adds to `faults` if not."""
    foreign = sorted({*seen.images} - files.keys())
    faults += [f"not drawn: {recipe}: {name!r:.120} is no file of the data" for name in foreign[:1]]
    return not foreign
