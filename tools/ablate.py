#!/usr/bin/env python
"""The paper's tables and figures: run what they lack, then show ours beside the paper's.

tools/ablate.py table8 table9 --seeds 0 1 2      on the embedded benchmark
tools/ablate.py table6 --tier paper --plan       what is there, what is missing, and the table as it stands
tools/ablate.py figure3 figure4                  SVG in docs/figures; --png as well
tools/ablate.py noise resnet50d_best --seeds 5   the scatter of one recipe, trained and fine-tuned with seeds 0 to 4
"""

import argparse
import sys
from pathlib import Path

import torch
from rich.table import Table

from backbones.complexity import gmacs, params_m
from classification.classifier import ImageClassifier
from trick_transfer.engine.values import nearest
from trick_transfer.leaderboard import ablation, figures
from trick_transfer.leaderboard.draw import DRAW, FIGURES
from trick_transfer.leaderboard.paper_tables import TABLES
from trick_transfer.runs.command import tool
from trick_transfer.runs.plan import add_options, check, check_data, console, execute, run_of, show, show_gaps
from trick_transfer.runs.result import Result
from trick_transfer.runs.run import FIRST
from trick_transfer.runs.study import Found, current, place, plan, read, wanted
from trick_transfer.stages import STAGES

NAMES = [*TABLES, *FIGURES]


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
        (recipe, [FIRST]) for recipe in drawn
    ]


def print_grid(title: str, grid: list[list[str]], notes: list[str]) -> None:
    """A table on the terminal."""
    table = Table(title=title, title_justify="left")
    for i, heading in enumerate(grid[0]):
        table.add_column(heading, justify="right" if i else "left", no_wrap=True)
    for line in grid[1:]:
        table.add_row(*line)
    console.print(table)
    for note in notes:
        console.print(note, markup=False)


def sizes(recipe: str, args: argparse.Namespace) -> dict[str, float]:
    """What a recipe's network counts on this tier, before it is trained."""
    cfg = run_of(FIRST, recipe, args.seeds[0], args).draft()
    with torch.device("meta"):
        model = ImageClassifier(backbone=cfg.model.backbone, num_classes=cfg.model.num_classes)
    return dict(params_m=params_m(model), gmacs=gmacs(model, cfg.val_dataloader.dataset.crop.size_px))


def draw(name: str, results: list[Result], args: argparse.Namespace) -> None:
    """A figure, as files."""
    runs = {recipe: run_of(FIRST, recipe, args.seeds[0], args) for recipe in FIGURES[name]}
    figure = DRAW[name](runs, [result for result in results if result.stage == FIRST])
    for suffix in ("svg", *(["png"] if args.png else [])):
        path = args.out / f"{name}_{args.tier}.{suffix}"
        figures.save(figure, path)
        console.print(f"{path}")


def present(found: Found, args: argparse.Namespace) -> None:
    """Show what was asked for, from all seeds there are."""
    recipes = {recipe for recipe, _ in parts(args)}
    shown = []
    for folder, result in found.items():
        if result.recipe in recipes:
            run = run_of(result.stage, result.recipe, result.seed, args)
            if place(run) == folder and current(run, found, args):  # else of another protocol, or seed of fine-tuning
                shown.append(result)
    if args.what[0] == "noise":
        print_grid(f"{args.what[1]} ({args.tier})", ablation.noise(shown), [])
        return
    for name in args.what:
        if name in FIGURES:
            draw(name, shown, args)
        else:
            counted = {result.recipe for result in shown}
            sized = [each for each in TABLES[name].recipes if each not in counted] if TABLES[name].has_sizes else []
            grid = ablation.grid(name, shown, {recipe: sizes(recipe, args) for recipe in sized})
            print_grid(ablation.title(name, args.tier), grid, ablation.notes(name, shown, args.tier))


def main() -> None:
    """Plan, check, run, show."""
    args = options()
    found = read(args)
    todo, lines = plan(wanted(parts(args), args.seeds, args), found, args)
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
