"""leaderboard.html: one file with the tables, charts, receipts and pictures in it, which asks the network for nothing.

Tables, ledger and captions are plain HTML, there without JavaScript; the charts are Observable Plot's (NOTICE). Receipts
are embedded as gzip, which the browser unpacks when the first one is opened.
"""

import gzip
import json
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .text import NOTES, SIZES

FOLDER = Path(__file__).parent / "page"
SCRIPTS = ("plot.min.js", "table.js", "charts.js", "receipt.js", "pairs.js", "pictures.js", "page.js")
DECIMALS = 4  # in the charts; receipts keep every digit
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
    scripts = [(FOLDER / name).read_text("utf-8") for name in SCRIPTS]
    return environment.get_template("page.html.j2").render(
        tables=analysis["tables"],
        notes=NOTES,
        sizes=SIZES,
        headlines=HEADLINES,
        pictures=pictures,
        style=Markup((FOLDER / "page.css").read_text("utf-8")),
        scripts=[Markup(script) for script in scripts],
        policy=policy(scripts),
        data={"tables": rounded([at_once(table) for table in analysis["tables"]]), "pictures": pictures},
        packed=packed(
            {"tables": rounded([later(table) for table in analysis["tables"]]), "receipts": analysis["receipts"]}
        ),
    )


def at_once(table: dict[str, Any]) -> dict[str, Any]:
    """The part of a table that the page needs from the start."""
    rows = [{name: row[name] for name in OF_ROW} for row in table["rows"]]
    return {name: table[name] for name in OF_TABLE} | {"rows": rows}


def later(table: dict[str, Any]) -> dict[str, Any]:
    """The part that it unpacks when asked."""
    return {"pairs": table["pairs"], "class_iou": {row["recipe"]: row["class_iou"] for row in table["rows"]}}


def policy(scripts: list[str]) -> str:
    """The Content-Security-Policy: our own scripts by their hash, embedded pictures, and nothing from elsewhere."""
    hashes = (b64encode(sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    # Styles are named as a whole since Plot puts a <style> into each chart.
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"


def rounded(data: Any) -> Any:
    """JSON data with as many decimals as a chart can show."""
    return json.loads(json.dumps(data, allow_nan=False), parse_float=lambda text: round(float(text), DECIMALS))


def packed(data: Any) -> str:
    """JSON data as base64 of gzip, the same for the same data."""
    return b64encode(gzip.compress(json.dumps(data, allow_nan=False).encode(), mtime=0)).decode()


def place(value: float, low: float, high: float) -> str:
    """Where a value lies between two others, as a CSS percentage."""
    return f"{100 * (value - low) / (high - low) if high > low else 50:.1f}%"
