"""leaderboard.html: one file with tables, charts, receipts and pictures; it loads nothing from the network.

Tables, ledger and captions are plain HTML and need no JavaScript; Observable Plot draws the charts (see NOTICE).
Receipts and pairs are embedded as gzip; the browser unpacks them on demand.
"""

import gzip
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from trick_transfer.engine.details import PIXELS, Details

from ..statistics.comparison import MOST_SEEDS
from ..table import UPSTREAM, YOURS, Analysis, Table
from . import agreement, text
from .exports import rounded

ASSETS = Path(__file__).parent / "assets"
OURS = ("table", "labels", "charts", "details", "receipt", "pairs", "pictures", "page")  # in the order of their need
SCRIPTS = ("plot.min.js", *(f"{name}.js" for name in OURS))
MOST_IN_MATRIX, LISTED_MISTAKES = 30, 20  # classes
OF_PIXELS = "% of the true class’s pixels"
UNREAD = ("sd", "level")  # of a cell; its HTML tells them
DIGITS = 5  # of numbers that are only displayed; receipts keep all digits


def render(analysis: Analysis, pictures: list[dict[str, Any]]) -> str:
    """The page of an analysis, with `side_by_side.collect`'s entry for each table."""
    loader = FileSystemLoader(ASSETS)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["place"] = place
    environment.policies["json.dumps_kwargs"] = dict(sort_keys=True, separators=(",", ":"))
    scripts = [(ASSETS / name).read_text("utf-8") for name in SCRIPTS]
    return environment.get_template("page.html.j2").render(
        analysis=analysis,
        text=text,
        agreement=agreement,
        pictures=pictures,
        upstream=UPSTREAM,
        style=Markup((ASSETS / "page.css").read_text("utf-8")),
        scripts=[Markup(script) for script in scripts],
        policy=policy(scripts),
        data={
            "tables": rounded([at_once(each) for each in analysis.tables], DIGITS),
            **dict(pictures=pictures, most_seeds=MOST_SEEDS, upstream=UPSTREAM, yours=YOURS),
        },
        packed=packed(unpacked_later(analysis)),
    )


def at_once(table: Table) -> dict[str, Any]:
    """The data of a table that the page needs from the start: the charts' rows and columns."""
    rows = []
    for row in table.rows:
        # the group as it is shown: of 500 rows, one can have hundreds of letters
        cells = {metric: known(vars(cell)) | {"group": text.group(cell)} for metric, cell in row.cells.items()}
        rows.append({"recipe": row.recipe, "device_hours": row.device_hours, "runs": row.runs, "cells": cells})
    return {"tier": table.tier, "metrics": table.metrics, "rows": rows}


def known(cell: dict[str, Any]) -> dict[str, Any]:
    """The values that are there, and that a script reads: of 500 rows, the others would make a tenth of the page."""
    return {name: value for name, value in cell.items() if value is not None and name not in UNREAD}


def unpacked_later(analysis: Analysis) -> dict[str, Any]:
    """The data that the page unpacks on demand. Curves are separate from the receipts, which compresses better."""
    receipts = {name: dict(vars(stored.result)) for name, stored in analysis.runs.items()}
    curves = {  # (epochs, values) instead of pairs
        name: {curve: list(zip(*pairs, strict=True)) for curve, pairs in receipt.pop("curves").items()}
        for name, receipt in receipts.items()
    }
    tables = []
    for table in analysis.tables:
        classes = rounded({row.recipe: row.classes for row in table.rows}, DIGITS - 1)
        tables.append({"pairs": table.pairs, "classes": classes})
    details = {name: of_run(analysis.details.get(name, Details())) for name in analysis.runs}
    of_runs = {"curves": rounded(curves, DIGITS - 1), "details": rounded(details, DIGITS - 2)}
    return {"tables": rounded(tables, DIGITS), "receipts": receipts, **of_runs}


def of_run(details: Details) -> dict[str, Any]:
    """A run's whole curve, and its images by true and predicted class, of many classes the most frequent mistakes.

    Of pixels the share in their true class, in percent.
    """
    names = [*dict.fromkeys([*details.classes, *(predicted for _, predicted, _ in details.confusion)])]
    made: dict[str, Any] = {"axes": details.axes, "curve": next(iter(details.curves.items()), None)}
    if not details.confusion:
        return made
    found, made["unit"] = details.confusion, details.counted
    if details.counted == PIXELS:
        found, made["unit"] = shares(details.confusion), OF_PIXELS
    if len(names) > MOST_IN_MATRIX:
        wrong = sorted((each for each in found if each[0] != each[1]), key=lambda each: -each[2])
        return made | {"mistakes": wrong[:LISTED_MISTAKES]}
    number = {(true, predicted): count for true, predicted, count in found}
    return made | {"names": names, "matrix": [[number.get((true, said), 0) for said in names] for true in names]}


def shares(confusion: Sequence[tuple[str, str, int]]) -> tuple[tuple[str, str, int], ...]:
    """Numbers by true and predicted class -> whole percents of the true class, in the same order."""
    of_class: Counter[str] = Counter()
    for true, _, number in confusion:
        of_class[true] += number
    return tuple((true, said, round(100 * number / of_class[true])) for true, said, number in confusion)


def policy(scripts: list[str]) -> str:
    """The Content-Security-Policy: our own scripts by their hash, embedded pictures, and nothing from elsewhere."""
    hashes = (b64encode(sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    # All inline styles are allowed, since Plot puts a <style> into each chart.
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"


def packed(data: Any) -> str:
    """JSON data as base64 of gzip, the same for the same data."""
    return b64encode(gzip.compress(json.dumps(data, allow_nan=False).encode(), mtime=0)).decode()


def place(value: float, low: float, high: float) -> str:
    """A value's position between two others, as a CSS percentage."""
    return f"{100 * (value - low) / (high - low) if high > low else 50:.1f}%"
