"""From recipes to rows of the leaderboard: train, export, fine-tune and score; what is done is not done again.

tools/pipeline.sh resnet50d_best                  on the embedded benchmark, in minutes
tools/pipeline.sh resnet50d_best --plan           what would run, what is there, what is missing
tools/pipeline.sh resnet50d_best --tier paper --gpus 8 --imagenet-root /data/imagenet ...
tools/pipeline.sh resnet50d_best --classification DIR --detection DIR --segmentation DIR    on data of your own
tools/pipeline.sh --backbone timm/resnet50d.ra2_in1k     weights from elsewhere; with a recipe, it starts from them
tools/pipeline.sh resnet50d_best resnet50d_mixup --seeds 0-4 --jobs 8     side by side, one GPU each: docs/many_runs.md
"""

import argparse

from classification.given import KEY as GIVEN
from trick_transfer.command_line import Parser
from trick_transfer.leaderboard.rendering.terminal import rows_of
from trick_transfer.runs import tiers
from trick_transfer.runs.command import add_follow, add_given, add_held_out, given_of, sets_of
from trick_transfer.runs.execute import execute
from trick_transfer.runs.grid import chains, once
from trick_transfer.runs.many import add_seeds, add_stages
from trick_transfer.runs.outlook import outlook
from trick_transfer.runs.own_tier import add_own_data, own_tier
from trick_transfer.runs.plan import add_options, check, check_data, console, show, show_gaps, state
from trick_transfer.runs.store import read_both, reference
from trick_transfer.stages import usual


def options() -> argparse.Namespace:
    """The command line."""
    parser = Parser(__doc__)
    parser.add_argument("recipes", nargs="*", metavar="recipe", help="see classification/recipes")
    add_options(parser)
    add_own_data(parser)
    add_given(parser)
    add_seeds(parser)
    add_stages(parser, f"the tier's, or {', '.join(usual())}")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="sets",
        help="a key of the recipe; with detection., segmentation. or probing. before it, of that stage",
    )  # fmt: skip
    add_follow(parser)
    add_held_out(parser)
    args = parser.parse_args()
    args.sets, args.given = sets_of(args), given_of(args)
    if not (args.recipes or args.backbones):
        raise ValueError("name a recipe (classification/recipes), or give --backbone SOURCE")
    args.recipes = args.recipes or [GIVEN]
    args.tier = own_tier(args)
    args.stages = args.stages or tiers.load(args.tier).stages or usual()
    return args


def main() -> int:
    """Plan, check, run, rank."""
    args = options()
    found = chains(args)
    planned = once(run for each in found for run in each)
    check(planned, args)
    if args.plan:
        lines = [(run, *state(run)) for run in planned]
        show(lines)
        console.print(outlook(lines, read_both(reference(), args.work_dir / "results")[0]))
        show_gaps(planned)
        return 0
    check_data(planned)
    if not execute(planned, args):
        console.print("all is done already")
    last = [each[-1] for each in found]
    names = dict.fromkeys(run.name for run in last)
    console.print(*rows_of(last[0].results_root, reference(), names, last[0].tier_file.name))
    return 0
