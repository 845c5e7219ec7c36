"""leaderboard.html: one file that holds its tables, charts, receipts and pictures, and asks the network for nothing.

Tables, ledger and captions are plain HTML, there without JavaScript; Observable Plot draws the charts (see NOTICE).
Receipts and pairs are embedded as gzip, which the browser unpacks when they are asked for.
"""

import gzip
import json
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from . import text
from .comparison import MOST_SEEDS

FOLDER = Path(__file__).parent / "page"
SCRIPTS = ("plot.min.js", "table.js", "labels.js", "charts.js", "receipt.js", "pairs.js", "pictures.js", "page.js")
DIGITS = 5  # of what is only looked at; receipts keep all of theirs
OF_TABLE, OF_ROW = ("tier", "metrics"), ("recipe", "device_hours", "cells", "runs")  # what the charts need at once
HEADLINES = ("top1", "map_voc07", "miou")  # one a stage, for the view at equal compute


def render(analysis: dict[str, Any], pictures: list[dict[str, Any]]) -> str:
    """The page of `analysis.analyse`'s data, and of `pictures.collect`'s with an entry for each table."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["place"] = place
    tables = text.rounded(analysis["tables"])
    scripts = [(FOLDER / name).read_text("utf-8") for name in SCRIPTS]
    return environment.get_template("page.html.j2").render(
        tables=tables,
        text=text,
        receipts=analysis["receipts"],
        problems=analysis["problems"],
        headlines=HEADLINES,
        pictures=pictures,
        style=Markup((FOLDER / "page.css").read_text("utf-8")),
        scripts=[Markup(script) for script in scripts],
        policy=policy(scripts),
        data={
            "tables": text.rounded([at_once(each) for each in tables], DIGITS),
            "pictures": pictures,
            "most_seeds": MOST_SEEDS,
        },
        packed=packed(unpacked_later(analysis)),
    )


def at_once(table: dict[str, Any]) -> dict[str, Any]:
    """The part of a table that the page needs from the start."""
    rows = [{name: row[name] for name in OF_ROW} | {"cells": grouped(row["cells"])} for row in table["rows"]]
    return {name: table[name] for name in OF_TABLE} | {"rows": rows}


def grouped(cells: dict[str, dict]) -> dict[str, dict]:
    """Cells with their group as it is shown: of 500 rows, one can have hundreds of letters."""
    return {metric: cell | {"group": text.group(cell)} for metric, cell in cells.items()}


def unpacked_later(analysis: dict[str, Any]) -> dict[str, Any]:
    """The part that it unpacks when asked; curves stand apart from the receipts, which packs better."""
    receipts = {path: dict(receipt) for path, receipt in analysis["receipts"].items()}
    curves = {path: columns(receipt.pop("curves")) for path, receipt in receipts.items()}
    tables = [
        {"pairs": table["pairs"], "class_iou": {row["recipe"]: row["class_iou"] for row in table["rows"]}}
        for table in analysis["tables"]
    ]
    return {"tables": text.rounded(tables, DIGITS), "receipts": receipts, "curves": text.rounded(curves, DIGITS - 1)}


def columns(curves: dict[str, list]) -> dict[str, list]:
    """Curves of (epoch, value) pairs as (epochs, values) each."""
    return {name: list(zip(*pairs, strict=True)) for name, pairs in curves.items()}


def policy(scripts: list[str]) -> str:
    """The Content-Security-Policy: our own scripts by their hash, embedded pictures, and nothing from elsewhere."""
    hashes = (b64encode(sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    # Styles are named as a whole since Plot puts a <style> into each chart.
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"


def packed(data: Any) -> str:
    """JSON data as base64 of gzip, the same for the same data."""
    return b64encode(gzip.compress(json.dumps(data, allow_nan=False).encode(), mtime=0)).decode()


def place(value: float, low: float, high: float) -> str:
    """Where a value lies between two others, as a CSS percentage."""
    return f"{100 * (value - low) / (high - low) if high > low else 50:.1f}%"
