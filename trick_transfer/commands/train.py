"""Train and score one stage of one recipe.

    tools/train.py classification resnet50d_best --tier mini --seed 0
    tools/train.py classification resnet50d_best --tier paper --gpus 8    on one machine
    srun -n 16 --cpus-per-task 8 --kill-on-bad-exit tools/train.py classification NAME --tier paper   on several
    tools/train.py classification resnet50d_best --tier paper --gpus 8 --nnodes 2 --rdzv node1:29400   on each
    tools/train.py detection resnet50d_best

A run that was stopped, at any moment, resumes with the same command.
"""

import argparse
from dataclasses import replace

from trick_transfer.command_line import Parser
from trick_transfer.runs.command import add_nodes, add_run_options, add_training_options, nodes_of, run_of
from trick_transfer.runs.dry_run import dry_run
from trick_transfer.runs.launch import join_srun, spread, starts_others
from trick_transfer.runs.resolve import show
from trick_transfer.runs.training import train


def main() -> int:
    """The command line."""
    join_srun()
    parser = Parser(__doc__)
    add_run_options(parser)
    add_training_options(parser)
    add_nodes(parser)
    parser.add_argument("--resume", action=argparse.BooleanOptionalAction, default=True, help="go on where it stopped")
    parser.add_argument(
        "--dry-run", action="store_true", help="the plan, and two steps on made-up data; no data needed"
    )
    parser.add_argument("--show", action="store_true", help="print each value of the Config, and where it comes from")
    args = parser.parse_args()
    nodes, devices = nodes_of(args), args.gpus * args.nnodes
    run = replace(run_of(args), precision=args.precision, compiled=args.compile)
    if args.show:
        show(run, devices, args.accumulate)
    elif args.dry_run:
        print(dry_run(run, devices, args.accumulate))
    elif starts_others(devices):
        run.batch(devices, args.accumulate)
        return spread(args.gpus, nodes)
    elif (
        result := train(replace(run, tracker=args.tracker, keep_state=args.keep_state), args.accumulate, args.resume)
    ) and result.metrics:
        print("  ".join(f"{name} {value:.2f} %" for name, value in result.metrics.items()))
    return 0
