#!/usr/bin/env python
"""The paper's tables and figures: run what they lack, then show ours beside the paper's.

tools/ablate.py table8 table9 --seeds 0 1 2      on the embedded benchmark
tools/ablate.py table6 --tier paper --plan       what is there, what is missing, and the table as it stands
tools/ablate.py figure3 figure4                  SVG in docs/figures; --png as well
tools/ablate.py noise resnet50d_best --seeds 5   the scatter of one recipe, trained and fine-tuned with seeds 0 to 4
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from backbones.complexity import gmacs, params_m
from classification.classifier import ImageClassifier
from trick_transfer.engine.values import nearest
from trick_transfer.leaderboard.analysis import analyse
from trick_transfer.leaderboard.paper.figures import DRAW, FIGURES, save
from trick_transfer.leaderboard.paper.tables import TABLES
from trick_transfer.leaderboard.rendering.beside_paper import beside, noise
from trick_transfer.leaderboard.rendering.terminal import grid
from trick_transfer.leaderboard.scores.load import means_only
from trick_transfer.runs.command import tool
from trick_transfer.runs.plan import (
    add_options,
    check,
    check_data,
    console,
    data_root,
    execute,
    lineage,
    show,
    show_gaps,
    state,
)
from trick_transfer.runs.result import Result, changed_keys
from trick_transfer.runs.run import STAGES, Run, plain
from trick_transfer.runs.store import Stored, read_all

NAMES = [*TABLES, *FIGURES]
Found = dict[Path, Result]  # by where it belongs, relative to the results' root


def options() -> argparse.Namespace:
    """The command line. Raises ValueError for a name that does not exist."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", help=f"{', '.join(NAMES)}, or: noise RECIPE")
    add_options(parser)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="for noise one number: how many")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"), help="folder for figures")
    parser.add_argument("--png", action="store_true", help="figures as PNG, too")
    args = parser.parse_args()
    if args.what[0] == "noise":
        if len(args.what) != 2 or len(args.seeds) != 1:
            raise ValueError("noise takes one recipe, and one number of --seeds")
        args.seeds = list(range(args.seeds[0]))
        return args
    for name in args.what:
        if name not in NAMES:
            raise ValueError(f"{name!r} is no table or figure; {nearest(name, [*NAMES, 'noise'])}")
    return args


def parts(args: argparse.Namespace) -> list[tuple[str, list[str]]]:
    """(recipe, stages) of all that was asked for."""
    if args.what[0] == "noise":
        return [(args.what[1], list(STAGES))]
    tables = [TABLES[name] for name in args.what if name in TABLES]
    drawn = [recipe for name in args.what for recipe in FIGURES.get(name, ())]
    return [(recipe, table.stages) for table in tables for recipe in table.recipes] + [
        (recipe, [STAGES[0]]) for recipe in drawn
    ]


def cells(args: argparse.Namespace) -> Iterator[Run]:
    """The runs whose results are asked for."""
    for recipe, stages in parts(args):
        for seed in args.seeds:
            for stage in stages:
                yield run_of(stage, recipe, seed, args)


def run_of(stage: str, recipe: str, seed: int, args: argparse.Namespace) -> Run:
    """One stage of one recipe."""
    return Run(stage, recipe, args.tier, seed, {}, None, args.work_dir, data_root(stage, recipe, args))


def first(run: Run, args: argparse.Namespace) -> Run:
    """The classification run that a downstream one stands on."""
    return run_of(STAGES[0], run.recipe, run.seed, args)


def place(run: Run) -> Path:
    """Where its result belongs."""
    return run.folder.relative_to(run.work_dir)


def changes(run: Run, result: Result) -> list[str]:
    """In what a result is not the run's. Its teacher and backbone may be retrained ones."""
    if run.stage != STAGES[0]:
        return [] if result.protocol_hash == run.protocol_hash() else ["the protocol"]
    return [key for key in changed_keys(result.config, plain(run.config())) if not key.endswith(".sha256")]


def current(run: Run, found: Found, args: argparse.Namespace) -> bool:
    """Whether a run's result is there, and is of today's recipe and protocol."""
    if place(run) not in found or changes(run, found[place(run)]):
        return False
    return run.stage == STAGES[0] or current(first(run, args), found, args)


def missing(run: Run, args: argparse.Namespace) -> Iterator[Run]:
    """A run after all that it needs: its teachers, its backbone."""
    if run.stage == STAGES[0]:
        yield from lineage(run)
    else:
        yield from lineage(first(run, args))
        yield run


def read(args: argparse.Namespace) -> Found:
    """The results of a tier; what is wrong with a file goes to stderr."""
    root = Run(STAGES[0], "", args.tier, work_dir=args.work_dir).results_root
    results, problems = read_all(root)
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    return {result.folder: result for result in results if result.tier == args.tier}


def plan(wanted: Iterable[Run], found: Found, args: argparse.Namespace) -> tuple[list[Run], list[tuple]]:
    """The runs to carry out, and a line (run, state, remark) for each of these and those that are there."""
    todo: dict[Path, Run] = {}
    lines: dict[Path, tuple] = {}
    for run in wanted:
        if current(run, found, args):
            lines.setdefault(run.folder, (run, "done", ""))
            continue
        for each in missing(run, args):
            todo[each.folder] = each
            lines[each.folder] = (each, *remarked(each, found))
    return list(todo.values()), list(lines.values())


def remarked(run: Run, found: Found) -> tuple[str, str]:
    """A run's state and a remark: also on a result that it has, of another recipe, or has no more."""
    word, remark = state(run)
    there = found.get(place(run))
    if word == "done" and not there:
        remark = f"without its result in {run.results_root}; move the folder away to run it again"
    elif there and (keys := changes(run, there)):
        remark = f"the result differs in {', '.join(keys[:4])}"
    return word, remark


def sizes(recipe: str, args: argparse.Namespace) -> dict[str, float]:
    """The size of a recipe's network on this tier, before it is trained."""
    cfg = run_of(STAGES[0], recipe, args.seeds[0], args).draft()
    with torch.device("meta"):
        model = ImageClassifier(backbone=cfg.model.backbone, num_classes=cfg.model.num_classes)
    return dict(params_m=params_m(model), gmacs=gmacs(model, cfg.val_dataloader.dataset.crop.size_px))


def draw(name: str, results: list[Stored], args: argparse.Namespace) -> None:
    """A figure, as files."""
    runs = {recipe: run_of(STAGES[0], recipe, args.seeds[0], args) for recipe in FIGURES[name]}
    figure = DRAW[name](runs, [each for each in results if each.result.stage == STAGES[0]])
    for suffix in ("svg", *(["png"] if args.png else [])):
        path = args.out / f"{name}_{args.tier}.{suffix}"
        save(figure, path)
        console.print(f"{path}")


def present(found: Found, args: argparse.Namespace) -> None:
    """Show the tables and figures asked for, from all seeds there are."""
    recipes = {recipe for recipe, _ in parts(args)}
    shown: list[Stored] = []
    for folder, result in found.items():
        if result.recipe in recipes:
            run = run_of(result.stage, result.recipe, result.seed, args)
            if place(run) == folder and current(run, found, args):  # else of another protocol, or seed of fine-tuning
                shown.append(Stored(result, run.results_root / folder))
    if args.what[0] == "noise":
        console.print(grid(f"{args.what[1]} ({args.tier})", noise(each.result for each in shown)))
        return
    for name in args.what:
        if name in FIGURES:
            draw(name, shown, args)
            continue
        table = TABLES[name]
        of_table = [each for each in shown if each.result.recipe in table.recipes and each.result.stage in table.stages]
        tables = [each for each in analyse([*map(means_only, of_table)]).tables if each.tier == args.tier]
        counted = {each.result.recipe for each in of_table}
        unknown = [recipe for recipe in table.recipes if recipe not in counted] if table.has_sizes else []
        made = beside(name, tables, args.tier, {recipe: sizes(recipe, args) for recipe in unknown})
        console.print(grid(made.title, made.lines))
        for note in made.notes:
            console.print(note, markup=False)


def main() -> None:
    """Plan, check, run, show."""
    args = options()
    found = read(args)
    todo, lines = plan(cells(args), found, args)
    check(todo, args)
    if args.plan:
        show(lines)
        show_gaps(todo)
    elif todo:
        check_data(todo)
        execute(todo, args)
        found = read(args)
    present(found, args)


if __name__ == "__main__":
    sys.exit(tool(main))
