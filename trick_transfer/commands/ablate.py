"""The paper's tables and figures: run what they lack, then show ours beside the paper's.

tools/ablate.py table8 table9 --seeds 0 1 2      on the embedded benchmark
tools/ablate.py table6 --tier paper --plan       the state of each run, and the table so far
tools/ablate.py figure3 figure4                  SVG in docs/figures; --png as well
tools/ablate.py noise resnet50d_best --seeds 5   the scatter of one recipe, trained and fine-tuned with seeds 0 to 4
tools/ablate.py agreement mini photos100         is the order on one tier that on the other? Runs nothing; draws it, too
tools/ablate.py agreement mini faster_rcnn_voc faster_rcnn_voc_frozen   the same of two protocols on one tier
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from trick_transfer.engine.values import nearest
from trick_transfer.leaderboard.analysis import analyse, between
from trick_transfer.leaderboard.paper.figures import DRAW, FIGURES, saved
from trick_transfer.leaderboard.paper.tables import SIZES, TABLES
from trick_transfer.leaderboard.rendering.beside_paper import beside, noise
from trick_transfer.leaderboard.rendering.scatter import scatter
from trick_transfer.leaderboard.rendering.terminal import across, grid
from trick_transfer.leaderboard.scores.load import means_only
from trick_transfer.runs import tiers
from trick_transfer.runs.plan import add_options, check, check_data, console, execute, run_of, show, show_gaps
from trick_transfer.runs.run import FIRST
from trick_transfer.runs.store import Stored
from trick_transfer.runs.study import finished, plan, read, sizes
from trick_transfer.stages import usual

NAMES = [*TABLES, *FIGURES]
AGREEMENT = "agreement"


def options() -> argparse.Namespace:
    """The command line. Raises ValueError for a name that does not exist."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what",
        nargs="+",
        help=f"{', '.join(NAMES)}, or: noise RECIPE, or: agreement TIER TIER, or: agreement TIER PROTOCOL PROTOCOL",
    )
    add_options(parser)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="for noise one number: how many")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"), help="folder for figures")
    parser.add_argument("--png", action="store_true", help="figures as PNG, too")
    args = parser.parse_args()
    args.tier_name = tiers.load(args.tier).name  # --tier may be a file
    if args.what[0] == "noise":
        if len(args.what) != 2 or len(args.seeds) != 1:
            raise ValueError("noise takes one recipe, and one number of --seeds")
        args.seeds = list(range(args.seeds[0]))
        return args
    if args.what[0] == AGREEMENT:
        if len({*args.what}) != len(args.what) or len(args.what) not in (3, 4) or args.protocol:
            raise ValueError(f"{AGREEMENT} takes two tiers, or a tier and two protocols, by the names in their results")
        return args
    for name in args.what:
        if name not in NAMES:
            raise ValueError(f"{name!r} is no table or figure; {nearest(name, [*NAMES, 'noise', AGREEMENT])}")
    return args


def parts(args: argparse.Namespace) -> list[tuple[str, list[str]]]:
    """(recipe, stages) of all that was asked for."""
    if args.what[0] == "noise":
        return [(args.what[1], list(usual()))]
    tables = [TABLES[name] for name in args.what if name in TABLES]
    drawn = [(recipe, [FIRST]) for name in args.what for recipe in FIGURES.get(name, ())]
    return [(recipe, table.stages) for table in tables for recipe in table.rows] + drawn


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


def compare(names: Sequence[str], args: argparse.Namespace) -> None:
    """The order of the rows that two tiers, or two protocols of one, share. Raises ValueError without results."""
    found, faults = between(names, list(read(args).values()))
    for fault in faults:
        print(fault, file=sys.stderr)
    for part in across(found):
        console.print(part, markup=False)
    name = "_".join([AGREEMENT, *dict.fromkeys(found[0].tiers + found[0].sides)])
    for path in saved(scatter(found), args.out / name, args.png):
        console.print(str(path))


def main() -> None:
    """Plan, check, run, show."""
    args = options()
    if args.what[0] == AGREEMENT:
        compare(args.what[1:], args)
        return
    found, asked = read(args), parts(args)
    runs = [run_of(stage, recipe, seed, args) for recipe, stages in asked for seed in args.seeds for stage in stages]
    todo, lines = plan(runs, found, args)
    check(todo, args)
    if args.plan:
        show(lines)
        show_gaps(todo)
    elif todo:
        check_data(todo)
        execute(todo, args)
        found = read(args)
    shown = list(finished({recipe for recipe, _ in asked}, found, args))  # of all seeds there are
    if args.what[0] == "noise":
        console.print(grid(f"{args.what[1]} ({args.tier_name})", noise(each.result for each in shown)))
        return
    for name in args.what:
        (draw if name in FIGURES else show_table)(name, shown, args)
