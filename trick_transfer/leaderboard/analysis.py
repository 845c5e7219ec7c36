"""All numbers of the leaderboard as plain data: from results and their outputs, and from the paper's columns."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from trick_transfer.runs.result import Result

from .comparison import Comparison
from .ledger import Step, entry, steps
from .paper import values_of
from .published import published
from .rows import METRICS, Run, by_backbone, cell, class_iou, device_hours, load, sample, total_hours, with_rows
from .tables import Table, doubts, tables
from .variance import components, pooled

LISTED_PAIRS = 2000  # of a metric, each row with its nearest; all pairs count for Holm, groups and ranks


def analyse(results: Sequence[Result], outputs: Path | None, problems: Sequence[str] = ()) -> dict[str, Any]:
    """All tables with their statistics, the receipts by path, and what to worry about: plain JSON data.

    `outputs` is the folder that holds <tier>/<recipe>/seed<n>/<stage>/outputs.npz; None: means only. A result that its
    outputs refute is left out. `problems` are known already.

    {"tables": [{"tier", "protocols": [{"stage", "name", "hash", "data", "samples"}], "metrics": [{"name", "label",
    "stage", "better"}], "rows": [{"recipe", "params_m", "gmacs", "device_hours", "cells": {metric: {"mean", "sd",
    "n", "low", "high", "level", "group", "rank_low", "rank_high", "device_hours", "paper": {"value", "table"} | None}},
    "class_iou": {class: percent}, "runs": [{"seed", "backbone_seed", "stage", "path"}]}], "pairs": {metric: [{"a",
    "b", "difference", "low", "high", "p_holm", "seeds_needed", "paired"}]}, "ledger": [{"trick", "without", "with",
    "metric", "effect", "low", "high", "n", "paper_effect", "verdict"}], "correlations": [{"metric", "spearman",
    "spearman_low", "spearman_high", "kendall", "kendall_low", "kendall_high", "n"}], "variance": {metric: {"seed" |
    "pre_training" | "fine_tuning": {"sd", "freedom"} | None}}}], "receipts": {path: a result's fields}, "problems":
    [line]}
    """
    loaded = [load(result, outputs) for result in results]
    runs = {str(run.result.folder): run for run, _ in loaded if run}
    sound = [run.result for run in runs.values()]
    made = [our_table(table, runs, sound) for table in tables(sound)]
    return {
        "tables": [*made, *published()],
        "receipts": {path: asdict(run.result) for path, run in runs.items()},
        "problems": [*problems, *(fault for _, faults in loaded for fault in faults), *doubts(sound)],
    }


def our_table(table: Table, runs: dict[str, Run], results: Sequence[Result]) -> dict[str, Any]:
    """A table of results, with its statistics."""
    by_recipe = {recipe: [runs[str(each.folder)] for each in some] for recipe, some in table.rows.items()}
    rows = [our_row(recipe, some, results) for recipe, some in by_recipe.items()]
    made = with_rows(table.tier, [each._asdict() for each in table.protocols], rows)
    pre_trained = [each for some in table.rows.values() for each in some if each.stage == "classification"]
    found = steps({each.recipe: each.config for each in pre_trained})
    for metric in METRICS:
        having = {recipe: backbones for recipe, some in by_recipe.items() if (backbones := by_backbone(some, metric))}
        if having:
            add_statistics(made, metric, having, found)
    return made


def our_row(recipe: str, runs: Sequence[Run], results: Sequence[Result]) -> dict[str, Any]:
    """A row of a table."""
    told = [run.result for run in runs]
    sized = next((result for result in told if result.params_m is not None), None)
    said = values_of(recipe) if told[0].tier == "paper" else {}
    hours = device_hours(recipe, told[0].tier, results)
    cells = {name: cell(some, name, said.get(name)) for name in METRICS if (some := by_backbone(runs, name))}
    for name, each in cells.items():
        each["device_hours"] = total_hours(name, hours, told)
    return {
        "recipe": recipe,
        "params_m": sized and sized.params_m,
        "gmacs": sized and sized.gmacs,
        "device_hours": hours,
        "cells": cells,
        "class_iou": class_iou(runs),
        "runs": [
            {"seed": each.seed, "backbone_seed": each.backbone_seed, "stage": each.stage, "path": str(each.folder)}
            for each in told
        ],
    }


def add_statistics(table: dict[str, Any], metric: str, having: dict[str, list[list[Run]]], found: list[Step]) -> None:
    """Add a metric's variance, groups, ranks, pairs and ledger to a table; `having` are each row's backbones' runs."""
    points = [[np.array([run.points[metric] for run in backbone]) for backbone in row] for row in having.values()]
    variance = components(points)
    if any(variance.values()):
        table["variance"][metric] = variance
    samples = {recipe: drawn for recipe, backbones in having.items() if (drawn := sample(backbones, metric))}
    noise = pooled([np.array([backbone.mean() for backbone in row]) for row in points])
    compared = Comparison(tuple(samples), tuple(samples.values()), noise)
    cells = {row["recipe"]: row["cells"][metric] for row in table["rows"] if metric in row["cells"]}
    if samples:
        better = 1 if METRICS[metric].better == "higher" else -1
        order = sorted(samples, key=lambda recipe: -better * cells[recipe]["mean"])
        for recipe, placed in compared.placed(order, better).items():
            cells[recipe] |= placed
        nearest = max(1, LISTED_PAIRS // len(order))
        table["pairs"][metric] = [
            compared.pair(a, b) for at, a in enumerate(order) for b in order[at + 1 : at + 1 + nearest]
        ]
    table["ledger"] += [
        effect(step, metric, cells, compared) for step in found if {step.without, step.with_it} <= cells.keys()
    ]


def effect(step: Step, metric: str, cells: dict[str, dict], compared: Comparison) -> dict[str, Any]:
    """A line of the ledger."""
    ends = cells[step.with_it], cells[step.without]
    interval = None
    if {step.without, step.with_it} <= set(compared.names):
        pair = compared.pair(step.with_it, step.without)
        interval = pair["low"], pair["high"]
    change, fewest = ends[0]["mean"] - ends[1]["mean"], min(each["n"] for each in ends)
    return entry(step, metric, change, interval, decidable=bool(interval and compared.noise), n=fewest)
