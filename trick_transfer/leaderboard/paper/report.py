"""The paper's tables and figures on the terminal, and as files: ours beside the paper's, from the results there are."""

import argparse
from collections.abc import Collection

from trick_transfer.runs.grid import run_of, ways
from trick_transfer.runs.plan import console
from trick_transfer.runs.run import FIRST
from trick_transfer.runs.store import Stored
from trick_transfer.runs.study import Found, finished, sizes

from ..analysis import analyse
from ..rendering.beside_paper import beside, noise
from ..rendering.terminal import grid, screens
from ..scores.load import means_only
from .figures import DRAW, FIGURES, saved
from .tables import SIZES, TABLES

NOISE = "noise"  # of one recipe, in place of a table


def report(recipes: Collection[str], found: Found, args: argparse.Namespace) -> None:
    """Show what there is of some recipes, of all seeds."""
    for name in args.what:
        downstream = name == NOISE or (name in TABLES and TABLES[name].stages != [FIRST])
        for way in ways(args)[: None if downstream else 1]:
            shown = list(finished(recipes, found, way))
            if name == NOISE:
                caption, lines = f"{[*args.rows][0]} ({args.tier_name})", noise(each.result for each in shown)
                console.print(grid(caption, lines) if shown else f"{caption}: no results yet")
            else:
                (draw if name in FIGURES else show_table)(name, shown, way)
    if args.rows and NOISE not in args.what:
        shown = [each for way in ways(args) for each in finished(args.rows, found, way)]
        console.print(*screens(analyse([*map(means_only, shown)]), [*args.rows], args.tier_name))


def draw(name: str, results: list[Stored], args: argparse.Namespace) -> None:
    """A figure, as files."""
    runs = {recipe: run_of(FIRST, recipe, args.seeds[0], args) for recipe in FIGURES[name]}
    figure = DRAW[name](runs, [each for each in results if each.result.stage == FIRST])
    for path in saved(figure, args.out / f"{name}_{args.tier_name}", args.png):
        console.print(str(path))


def show_table(name: str, shown: list[Stored], args: argparse.Namespace) -> None:
    """One of the paper's tables, ours beside it."""
    table = TABLES[name]
    of_table = [each for each in shown if each.result.recipe in table.rows and each.result.stage in table.stages]
    tables = [each for each in analyse([*map(means_only, of_table)]).tables if each.tier == args.tier_name]
    counted = {each.result.recipe for each in of_table}
    unknown = [recipe for recipe in table.rows if recipe not in counted] if {*SIZES} & {*table.columns} else []
    known = {recipe: sizes(run_of(FIRST, recipe, args.seeds[0], args)) for recipe in unknown}
    made = beside(name, tables, args.tier_name, known)
    console.print(grid(made.title, made.lines))
    for note in made.notes:
        console.print(note, markup=False)
