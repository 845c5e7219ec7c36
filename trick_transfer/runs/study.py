"""A study: many runs, of which some have results already. What is there, and what has to run."""

import argparse
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import torch

from backbones.base import gmacs, params_m
from classification.classifier import ImageClassifier
from classification.given import KEY as GIVEN
from trick_transfer.engine.layers import changed_keys

from .grid import check_protocols, run_of
from .identity import plain
from .plan import state
from .result import Result
from .run import FIRST, Run, lineage
from .store import Stored, read_both, reference
from .sweep import trials

Found = dict[Path, Stored]  # by where it belongs, relative to the results' root
Rows = dict[str, tuple[str, dict[str, Any]]]  # the user's own choice: recipe and settings of each, by its name


def rows(recipes: Iterable[str], given: Iterable[dict[str, Any]], args: argparse.Namespace) -> Rows:
    """The rows of each recipe from each start."""
    pairs = product(recipes, given)
    return {run_of(FIRST, recipe, args.seeds[0], args, sets).name: (recipe, sets) for recipe, sets in pairs}


def run_of_row(name: str, stage: str, seed: int, args: argparse.Namespace) -> Run:
    """One stage of a row: one of `args.rows`, or of a table, whose rows are called as their recipes."""
    recipe, sets = args.rows.get(name, (name, {})) if stage == FIRST else (name, {})
    return run_of(stage, recipe, seed, args, sets)


def trunk(run: Run, args: argparse.Namespace) -> Run:
    """The classification run of the same row and seed."""
    return run if run.stage == FIRST else run_of_row(run.recipe, FIRST, run.seed, args)


def place(run: Run) -> Path:
    """Where its result belongs."""
    return run.folder.relative_to(run.work_dir)


def changes(run: Run, result: Result) -> list[str]:
    """In what a result is not the run's. Its teacher and backbone may be retrained ones; given weights are the same."""
    if not run.task.trains_backbone:
        return [] if result.protocol_hash == run.protocol_hash() else ["the protocol"]
    keys = changed_keys(result.config, plain(run.config()))
    return [key for key in keys if key == f"model.{GIVEN}.sha256" or not key.endswith(".sha256")]


def current(run: Run, found: Found, args: argparse.Namespace) -> bool:
    """Whether a run's result is there, and is of today's recipe and protocol."""
    if place(run) not in found or changes(run, found[place(run)].result):
        return False
    return run.stage == FIRST or current(trunk(run, args), found, args)


def read(args: argparse.Namespace) -> Found:
    """The reference results and, in their place where both exist, your own; prints faulty files."""
    stored, problems = read_both(reference(), args.work_dir / "results")
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    return {each.result.folder: each for each in stored}


def finished(names: Collection[str], found: Found, args: argparse.Namespace) -> Iterator[Stored]:
    """All seeds' current results of some rows, of the main protocols and fine-tuned with their backbone's seed."""
    for folder, each in found.items():
        if each.result.recipe in names:
            run = run_of_row(each.result.recipe, each.result.stage, each.result.seed, args)
            if place(run) == folder and current(run, found, args):
                yield replace(each, own=False)  # a study averages your runs and the reference


def sizes(run: Run) -> dict[str, float]:
    """params_m and gmacs of a recipe's network on this tier, before it is trained."""
    cfg = run.layers.cfg
    with torch.device("meta"):
        model = ImageClassifier(backbone=cfg.model.backbone, num_classes=cfg.model.num_classes)
    return dict(params_m=params_m(model), gmacs=gmacs(model, cfg.val_dataloader.dataset.crop.size_px))


def plan(runs: Collection[Run], found: Found, args: argparse.Namespace) -> tuple[list[Run], list[tuple[Run, str, str]]]:
    """The runs to carry out, and (run, state, remark) for each of these and those that are there.

    A remark is also on a result of another recipe, or one that is gone. Raises ValueError for protocols of no run.
    """
    check_protocols(args.protocol, {run.stage for run in runs})
    todo: dict[Path, Run] = {}
    lines: dict[Path, tuple[Run, str, str]] = {}
    for run in runs:
        if current(run, found, args):
            lines.setdefault(run.folder, (run, "done", "" if found[place(run)].own else "the reference result"))
            continue
        waiting = [trial for trial in trials(run) if state(trial)[0] != "done"]
        for each in [*lineage(trunk(run, args)), *waiting, run]:
            word, remark = state(each)
            there = found.get(place(each))
            if word == "done" and not there:
                remark = f"without its result in {each.results_root}; move the folder away to run it again"
            elif there and (keys := changes(each, there.result)):
                remark = f"the result differs in {', '.join(keys[:4])}"
            todo[each.folder] = each
            lines[each.folder] = each, word, remark
    return list(todo.values()), list(lines.values())
