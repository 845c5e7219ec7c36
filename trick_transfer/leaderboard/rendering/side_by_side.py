"""Predictions of a table's rows on the same few images, for the page.

The images are spread evenly over the test set. The page shows a recipe's first run, and a table's first rows. Pictures
of VOC and ADE20K keep their own terms: check these before you publish a page of tier `paper`.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from trick_transfer.engine.files import file_sha256
from trick_transfer.engine.pictures import Seen, photo, rgb
from trick_transfer.engine.stage import Stage
from trick_transfer.runs import tiers
from trick_transfer.runs.store import Stored
from trick_transfer.stages import STAGES

from ..table import Analysis, Table

ROWS = 24


def collect(analysis: Analysis, data: Path) -> list[dict[str, Any]]:
    """For each table {stage: {classes, colours, images, rows}}, without stages that lack stored outputs or data."""
    return [of_table(table, analysis.runs, data) for table in analysis.tables]


def of_table(table: Table, runs: Mapping[str, Stored], data: Path) -> dict[str, Any]:
    """The stages of one table."""
    made: dict[str, Any] = {}
    for name, stage in STAGES.items():
        folder = (tiers.load(table.tier).data(name) if table.tier in tiers.NAMES else None) or stage.data_set
        first = {row.recipe: runs[run.path] for row in table.rows for run in reversed(row.runs) if run.stage == name}
        first = dict([*first.items()][:ROWS])
        seen = {recipe: found for recipe, run in first.items() if (found := predictions(stage, run, data / folder))}
        with suppress(FileNotFoundError):  # the data are missing
            made |= {name: side_by_side(seen)} if seen else {}
    return made


def predictions(stage: Stage, run: Stored, data: Path) -> Seen | None:
    """A run's predictions; None if its outputs, the pictures in them, or the data are missing."""
    with suppress(FileNotFoundError, KeyError):
        if file_sha256(run.outputs) == run.result.outputs_sha256:
            return stage.seen(run.outputs, data, run.result.config)
    return None


def side_by_side(seen: Mapping[str, Seen]) -> dict[str, Any]:
    """The rows that saw the same images as the first, and the images."""
    first = next(iter(seen.values()))
    truths = zip(first.names, first.truth, strict=True)
    return {
        "classes": first.classes,
        "colours": [f"#{bytes(rgb(label)).hex()}" for label in range(len(first.classes))],
        "images": [photo(first.folder / f"{name}.jpg") | {"truth": truth} for name, truth in truths],
        "rows": {recipe: each.found for recipe, each in seen.items() if each.names == first.names},
    }
