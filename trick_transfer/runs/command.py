"""What every tool's command line shares: the options that name a run, and errors in one line."""

import argparse
import ast
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from classification.follow import FOLLOW, KEY
from trick_transfer.engine.precision import PRECISIONS
from trick_transfer.stages import STAGES

from . import tiers
from .resolve import TRACKERS
from .run import FIRST, Run

# torch's words where memory is short, or a process that loads data is gone: what to do
LITTLE_MEMORY = {
    r"DataLoader worker \(pid.*\d\) (is killed by signal: [\w ]+|exited unexpectedly)|unable to \w+ .*</torch_.*": (
        "memory or /dev/shm may be too small; --set train_dataloader.num_workers=1 val_dataloader.num_workers=1 takes "
        "less, 0 needs no /dev/shm"
    ),
    r"CUDA out of memory[^.\n]*|DefaultCPUAllocator: can't allocate memory[^.\n]*": "--accumulate 2 takes half as much",
}


def add_run_options(parser: argparse.ArgumentParser, stage: bool = True) -> None:
    """STAGE NAME --tier --seed --backbone-seed --protocol --set --work-dir --data-root."""
    if stage:
        parser.add_argument("stage", choices=STAGES)
    else:
        parser.set_defaults(stage=FIRST)
    parser.add_argument("name", help="a recipe, see classification/recipes")
    add_places(parser)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backbone-seed", type=int, help="of the backbone to fine-tune (default: --seed)")
    parser.add_argument("--protocol", help="the downstream protocol, if not the paper's")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="sets")
    parser.add_argument("--data-root", type=Path, help="the data set's folder (default: under data/)")
    add_follow(parser)


def add_follow(parser: argparse.ArgumentParser) -> None:
    """--follow, which is a setting."""
    parser.add_argument(
        "--follow", choices=FOLLOW, help="the paper's text or its authors' code (default: in tier paper the code)"
    )


def add_places(parser: argparse.ArgumentParser) -> None:
    """--tier --work-dir."""
    names = ", ".join(tiers.NAMES)
    parser.add_argument("--tier", default="mini", help=f"{names}, or a file like {tiers.FOLDER.name}/mini.py")
    parser.add_argument("--work-dir", type=Path, default=Path("work"))


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """--accumulate --tracker --precision."""
    parser.add_argument("--accumulate", type=int, default=1, help="steps whose gradients are added up")
    parser.add_argument("--tracker", choices=TRACKERS, default=TRACKERS[0], help="of scalars and predictions")
    parser.add_argument("--precision", choices=PRECISIONS, help="of low-precision training (default: fp16 on CUDA)")


def parse_sets(pairs: list[str], follow: str | None = None) -> dict[str, Any]:
    """["tricks.mixup=None", "max_epochs=3"] -> a dict of Python values; a word that is none stays a string."""
    sets: dict[str, Any] = {KEY: follow} if follow else {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise ValueError(f"--set takes key=value, not {pair!r}")
        try:
            sets[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            sets[key] = text
    return sets


def run_of(args: argparse.Namespace) -> Run:
    """The run that the options name."""
    further = parse_sets(args.sets, args.follow), args.protocol, args.work_dir, args.data_root, args.backbone_seed
    return Run(args.stage, args.name, args.tier, args.seed, *further)


def tool(main: Callable[[], int | None]) -> int:
    """Run a tool: bad input becomes one line and exit code 2, Ctrl-C 130. TRACEBACK=1 shows where it came from."""
    try:
        return main() or 0
    except KeyboardInterrupt:
        print("stopped; the same command resumes", file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError) as error:
        line = one_line(error)
        if os.environ.get("TRACEBACK") or line is None:
            raise
        print(f"error: {line}", file=sys.stderr)
        return 2


def one_line(error: Exception) -> str | None:
    """What is wrong with the input or the machine, as far as that is known; None for a fault of the program."""
    for words, remedy in LITTLE_MEMORY.items():
        if isinstance(error, RuntimeError) and (said := re.search(words, str(error))):
            return f"{said[0]}; {remedy}"
    if isinstance(error, RuntimeError):
        return None
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    # an error in a data-loading worker carries its whole traceback: the last line is the message
    return lines[-1].split(": ", 1)[-1] if "DataLoader worker" in lines[0] else lines[0]
