#!/usr/bin/env python
"""From a recipe to its row of the leaderboard: train, export, fine-tune and score; what is done is not done again.

tools/pipeline.sh resnet50d_best                  on the embedded benchmark, in minutes
tools/pipeline.sh resnet50d_best --plan           what would run, what is there, what is missing
tools/pipeline.sh resnet50d_best --tier paper --gpus 8 --imagenet-root /data/imagenet ...
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from trick_transfer.engine.values import check_name
from trick_transfer.leaderboard.rendering.terminal import row_of
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
from trick_transfer.runs.run import STAGES, Run
from trick_transfer.runs.settings import parse_sets


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help="see classification/recipes")
    add_options(parser)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES, metavar="STAGE", help=", ".join(STAGES))
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="sets",
        help="a key of the recipe; with detection. or segmentation. before it, of that stage",
    )  # fmt: skip
    return parser.parse_args()


def by_stage(sets: dict[str, Any], stages: Sequence[str]) -> dict[str, dict]:
    """Keys with a stage's name before them are that stage's, all others the recipe's.

    Raises ValueError for a stage that is not run, or whose name is misspelt.
    """
    own: dict[str, dict] = {stage: {} for stage in STAGES}
    for key, value in sets.items():
        stage, _, rest = key.partition(".")
        if close := get_close_matches(stage, STAGES[1:], 1, cutoff=0.8):
            check_name("stage", stage, close)
            if stage not in stages:
                raise ValueError(f"--set {key}: {stage} is not run; add it to --stages, or leave the key out")
            own[stage][rest] = value
        else:
            own[STAGES[0]][key] = value
    return own


def runs(args: argparse.Namespace) -> Iterator[Run]:
    """The stages in order; a teacher's training stands before its student's."""
    own = by_stage(parse_sets(args.sets), args.stages)
    roots = {stage: data_root(stage, args.recipe, args) for stage in STAGES}
    first = Run(STAGES[0], args.recipe, args.tier, args.seed, own[STAGES[0]], None, args.work_dir, roots[STAGES[0]])
    for stage in STAGES:
        if stage in args.stages and stage == first.stage:
            yield from lineage(first)
        elif stage in args.stages:
            yield replace(first, stage=stage, recipe=first.name, sets=own[stage], data_root=roots[stage])


def main() -> int:
    """Plan, check, run, rank."""
    args = options()
    planned = list(runs(args))
    check(planned, args)
    if args.plan:
        show((run, *state(run)) for run in planned)
        show_gaps(planned)
        return 0
    check_data(planned)
    if not execute(planned, args):
        console.print("all is done already")
    last = planned[-1]
    console.print(*row_of(last.results_root, Path("results"), last.name, last.tier))
    return 0


if __name__ == "__main__":
    sys.exit(tool(main))
