"""The options of many runs: their seeds, how many at once, and where."""

import argparse
import re
import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from itertools import chain
from typing import Any

from trick_transfer.engine.values import check_name
from trick_transfer.stages import STAGES

from .command import parse_sets

EXECUTORS = ("slurm", "local", "debug")  # submitit's
DAY_MINUTES = 1440


class Seeds(argparse.Action):
    """Whole numbers and ranges, such as 0-4 7, each once, of each time it is given. Raises ValueError for others."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        held = getattr(namespace, self.dest)
        earlier = [] if held is self.default else held
        setattr(namespace, self.dest, list(dict.fromkeys(chain(earlier, *map(seeds_in, values)))))


def seeds_in(word: str) -> Iterable[int]:
    """ "7" -> 7; "0-4" -> 0 to 4."""
    if not (found := re.fullmatch(r"(-?\d+)(?:-(\d+))?", word, re.ASCII)):
        raise ValueError(
            f"--seeds takes whole numbers and ranges such as 0-4, not {word!r}; name recipes before options"
        )
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise ValueError(f"--seeds {word}: the range goes down; write {last}-{first}")
    return range(first, last + 1)


def add_seeds(parser: argparse.ArgumentParser, more: str = "") -> None:
    """--seeds, also spelt --seed."""
    parser.add_argument(
        "--seeds",
        "--seed",
        nargs="+",
        action=Seeds,
        default=[0],
        metavar="SEED",
        help=f"seeds of the runs, such as 0-4 7{more}",
    )


class Stages(argparse.Action):
    """Names of stages. Raises ValueError for others."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        for name in values:
            check_name("--stages", name, STAGES)
        setattr(namespace, self.dest, values)


def add_stages(parser: argparse.ArgumentParser, default: str) -> None:
    """--stages."""
    parser.add_argument(
        "--stages", nargs="+", action=Stages, metavar="STAGE", help=f"{', '.join(STAGES)} (default: {default})"
    )


def add_job_options(parser: argparse.ArgumentParser) -> None:
    """--jobs --jobs-per-gpu, --executor and what it needs."""
    group = parser.add_argument_group("many runs, see docs/many_runs.md")
    group.add_argument("--jobs", type=int, help="run what is ready side by side, at most so many at once")
    group.add_argument("--jobs-per-gpu", type=int, help="runs on each GPU (default: 1); alone, all GPUs are used")
    group.add_argument(
        "--executor", choices=EXECUTORS, help="hand runs to Slurm; local and debug try that on this machine"
    )
    group.add_argument("--partition", help="Slurm's partition")
    group.add_argument("--time", type=int, metavar="MINUTES", help="time limit of a job (default: a day)")
    group.add_argument("--array", type=int, metavar="N", help="submit what is ready as arrays, at most N jobs at once")
    group.add_argument(
        "--slurm", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="other options of sbatch"
    )


def check_jobs(args: argparse.Namespace) -> None:
    """Raise ValueError for options of `add_job_options` that make no sense here."""
    for name in ("jobs", "jobs_per_gpu", "time", "array"):
        if (count := vars(args)[name]) is not None and count < 1:
            raise ValueError(f"--{name.replace('_', '-')} must be at least 1, got {count}")
    if args.executor and find_spec("submitit") is None:
        raise ValueError("--executor needs the package submitit: pip install 'trick-transfer[slurm]'")
    if args.executor == EXECUTORS[0] and shutil.which("srun") is None and not args.plan:
        raise ValueError("--executor slurm needs Slurm's commands here; start it on a machine that has sbatch and srun")
    named = [f"--{name}" for name in ("partition", "time", "array", "slurm") if vars(args)[name]]
    if named and not args.executor:
        raise ValueError(f"{named[0]} goes with --executor {EXECUTORS[0]}")
    if args.executor and args.jobs_per_gpu:
        raise ValueError("--jobs-per-gpu is for runs on this machine; leave it out, or --executor")
    parse_sets(args.slurm, option="--slurm")
