"""The numbers behind every form of the leaderboard, as plain data: from results and outputs, and the paper's columns."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from .paper import SOURCES, values_of
from .results import Result
from .comparable import Table, tables

LABELS = {  # metric: (label, stage, better)
    "top1": ("top-1", "classification", "higher"),
    "top5": ("top-5", "classification", "higher"),
    "ece": ("ECE", "classification", "lower"),
    "map_voc07": ("VOC mAP (11-point)", "detection", "higher"),
    "map_area": ("VOC mAP (area)", "detection", "higher"),
    "map_coco": ("COCO mAP", "detection", "higher"),
    "pix_acc": ("pixAcc", "segmentation", "higher"),
    "miou": ("mIoU", "segmentation", "higher"),
    "follows_shape": ("swapped coat: says shape", "classification", "higher"),
    "follows_coat": ("swapped coat: says coat", "classification", "lower"),
}
RANKED_BY = "top1"
PUBLISHED = "published"


def analyse(results: Iterable[Result], outputs: Path) -> dict[str, Any]:
    """All tables with their statistics, and the receipts: plain JSON data. `outputs` is the root of the outputs.

    First version: means only.
    """
    found = list(results)
    made = [our_table(each) for each in tables(found)]
    return {
        "tables": [*made, published()],
        "receipts": {str(result.folder): asdict(result) for result in found},
    }


def our_table(table: Table) -> dict[str, Any]:
    """One table of ours."""
    rows = [our_row(recipe, some) for recipe, some in table.rows.items()]
    return complete(table.tier, [each._asdict() for each in table.protocols], rows)


def complete(tier: str, protocols: list, rows: list) -> dict[str, Any]:
    """A table from its rows."""
    there = {name for row in rows for name in row["cells"]}
    return {
        "tier": tier,
        "protocols": protocols,
        "metrics": [
            dict(name=name, label=label, stage=stage, better=better)
            for name, (label, stage, better) in LABELS.items()
            if name in there
        ],
        "rows": sorted(rows, key=lambda row: -row["cells"].get(RANKED_BY, {"mean": float("-inf")})["mean"]),
        "pairs": {},
        "ledger": [],
        "correlations": [],
        "variance": {},
    }


def our_row(recipe: str, results: list[Result]) -> dict[str, Any]:
    """One recipe."""
    values = defaultdict(list)
    for result in results:
        for metric in LABELS:
            if metric in result.metrics:
                values[metric].append(result.metrics[metric])
    sized = next((result for result in results if result.params_m is not None), None)
    said = values_of(recipe)
    return {
        "recipe": recipe,
        "params_m": sized and sized.params_m,
        "gmacs": sized and sized.gmacs,
        "device_hours": None,
        "cells": {name: cell(some, said.get(name)) for name, some in values.items()},
        "runs": [
            dict(seed=each.seed, backbone_seed=each.backbone_seed, stage=each.stage, path=str(each.folder))
            for each in results
        ],
    }


def cell(values: list[float], said: Any) -> dict[str, Any]:
    """Mean and standard deviation of one metric over seeds."""
    return {
        "mean": mean(values),
        "sd": stdev(values) if len(values) > 1 else None,
        "n": len(values),
        "low": None,
        "high": None,
        "level": "none",
        "group": None,
        "rank_low": None,
        "rank_high": None,
        "paper": said and said._asdict(),
    }


def published() -> dict[str, Any]:
    """The paper's columns."""
    recipes = dict.fromkeys(recipe for _, _, rows in SOURCES for recipe in rows if "places" not in recipe)
    rows = []
    for recipe in recipes:
        said = values_of(recipe)
        size = {name: said[name].value if name in said else None for name in ("params_m", "gmacs")}
        cells = {name: cell([said[name].value], said[name]) for name in LABELS if name in said}
        rows.append({"recipe": recipe, **size, "device_hours": None, "cells": cells, "runs": []})
    protocols = [
        dict(stage="classification", name="imagenet", hash=None, samples=50_000),
        dict(stage="detection", name="faster_rcnn_voc", hash=None, samples=4952),
        dict(stage="segmentation", name="fcn_ade20k", hash=None, samples=2000),
    ]
    return complete(PUBLISHED, protocols, rows)
