"""The paper's tables and figures: run what they lack, then show ours beside the paper's.

tools/ablate.py table8 table9 --seeds 0 1 2      on the embedded benchmark
tools/ablate.py resnet50d_mixup resnet50d_best --stages segmentation      rows of your own choice
tools/ablate.py --backbone timm/resnet50d.ra2_in1k --stages segmentation --seeds 0-2      weights from elsewhere
tools/ablate.py table6 --tier paper --plan       the state of each run, and the table so far
tools/ablate.py figure3 figure4                  SVG in docs/figures; --png as well
tools/ablate.py noise resnet50d_best --seeds 5   the scatter of one recipe, trained and fine-tuned with seeds 0 to 4
tools/ablate.py agreement mini photos100         is the order on one tier that on the other? Runs nothing; draws it, too
tools/ablate.py agreement mini faster_rcnn_voc faster_rcnn_voc_frozen   the same of two protocols on one tier
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from classification.config import names
from classification.given import KEY as GIVEN
from trick_transfer.command_line import Parser
from trick_transfer.engine.values import nearest
from trick_transfer.leaderboard.analysis import between
from trick_transfer.leaderboard.paper.figures import FIGURES, saved
from trick_transfer.leaderboard.paper.report import NOISE, report
from trick_transfer.leaderboard.paper.tables import TABLES
from trick_transfer.leaderboard.rendering.scatter import scatter
from trick_transfer.leaderboard.rendering.terminal import across
from trick_transfer.runs import tiers
from trick_transfer.runs.command import add_given, given_of
from trick_transfer.runs.execute import execute
from trick_transfer.runs.grid import once, ways
from trick_transfer.runs.many import add_seeds, add_stages
from trick_transfer.runs.outlook import outlook
from trick_transfer.runs.plan import add_options, check, check_data, console, show, show_gaps
from trick_transfer.runs.run import FIRST
from trick_transfer.runs.study import plan, read, rows, run_of_row
from trick_transfer.stages import usual

NAMES = [*TABLES, *FIGURES]
AGREEMENT = "agreement"


def options() -> argparse.Namespace:
    """The command line. Raises ValueError for a name that does not exist."""
    parser = Parser(__doc__)
    parser.add_argument(
        "what",
        nargs="*",
        help=f"{', '.join(NAMES)}, recipes, or: noise RECIPE, agreement TIER TIER, agreement TIER PROTOCOL PROTOCOL",
    )
    add_options(parser)
    add_given(parser)
    add_seeds(parser, "; for noise one number: how many, from 0")
    add_stages(parser, "those of the tables")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"), help="folder for figures")
    parser.add_argument("--png", action="store_true", help="figures as PNG, too")
    args = parser.parse_args()
    args.tier_name = tiers.load(args.tier).name  # --tier may be a file
    if args.what[:1] == [AGREEMENT]:
        if len({*args.what}) != len(args.what) or len(args.what) not in (3, 4) or args.protocol or args.backbones:
            raise ValueError(f"{AGREEMENT} takes two tiers, or a tier and two protocols, by the names in their results")
    else:
        choose(args)
    return args


def choose(args: argparse.Namespace) -> None:
    """Check the names, keep tables and figures apart from rows, let noise have several seeds. Raises ValueError."""
    noisy = args.what[:1] == [NOISE]
    for name in args.what[noisy:]:
        if name not in (*NAMES, *names()):
            known = [*NAMES, NOISE, AGREEMENT, *names()]
            raise ValueError(f"{name!r} is no table, figure or recipe; {nearest(name, known)}")
    args.recipes = [name for name in args.what if name in names()]
    args.rows = rows(args.recipes or [GIVEN] * bool(args.backbones), given_of(args), args)
    args.what = [name for name in args.what if name not in args.recipes]
    if not (args.what or args.rows):
        raise ValueError("name a table, a figure or a recipe, or give --backbone SOURCE")
    if noisy:
        if len(args.what) != 1 or len(args.rows) != 1:
            raise ValueError("noise takes one recipe or --backbone, and --seeds: how many, or which")
        args.seeds = args.seeds if len(args.seeds) > 1 else list(range(args.seeds[0]))
        if len(args.seeds) < 2:
            raise ValueError("noise is the scatter of at least two seeds, such as --seeds 5")


def parts(args: argparse.Namespace) -> list[tuple[str, list[str]]]:
    """(row, stages) of all that was asked for."""
    tables = [TABLES[name] for name in args.what if name in TABLES]
    found = [(recipe, list(table.stages)) for table in tables for recipe in table.rows]
    found += [(recipe, [FIRST]) for name in args.what for recipe in FIGURES.get(name, ())]
    found += [(name, list(usual())) for name in args.rows]
    return [(name, [stage for stage in stages if stage in (args.stages or stages)]) for name, stages in found]


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
    if args.what[:1] == [AGREEMENT]:
        compare(args.what[1:], args)
        return
    found, asked = read(args), parts(args)
    each_way = product(ways(args), asked, args.seeds)
    runs = once(run_of_row(name, stage, seed, way) for way, (name, stages), seed in each_way for stage in stages)
    todo, lines = plan(runs, found, args)
    check(todo, args)
    if args.plan:
        show(lines)
        console.print(outlook(lines, found.values()))
        show_gaps(todo)
    elif todo:
        check_data(todo)
        execute(todo, args)
        found = read(args)
    report({name for name, _ in asked}, found, args)
