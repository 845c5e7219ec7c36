"""Runs in their order: what is there, what is missing, and whether the rest can be run."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from backbones.registry import MODELS
from classification.classifier import untrained_card
from classification.given import KEY as GIVEN
from classification.given import put
from trick_transfer.data_sets.sources import DATA_SETS
from trick_transfer.engine.claim import holder
from trick_transfer.engine.precision import low_precision
from trick_transfer.stages import STAGES

from . import data
from .command import add_places, add_training_options
from .compiling import check_compiler
from .many import add_job_options, check_jobs
from .places import check_writable
from .resolve import TRACKERS, check_tracker
from .run import FIRST, Run
from .state import state as state_of
from .sweep import AllDivergedError, trials

console = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 160)  # a log has no width of its own


def add_options(parser: argparse.ArgumentParser) -> None:
    """--tier --work-dir, those of training and of many runs, --plan --protocol, and the data sets' roots."""
    add_places(parser)
    add_training_options(parser)
    add_job_options(parser)
    parser.add_argument("--plan", action="store_true", help="say what would run; train nothing")
    protocols = [name for stage in STAGES.values() for name in stage.protocols]
    parser.add_argument(
        "--protocol",
        nargs="+",
        action="extend",
        default=[],
        help=f"(default: the tier's) several of one stage are several runs: {', '.join(protocols)}",
    )
    for option in dict.fromkeys(filter(None, (data_set.option for data_set in DATA_SETS.values()))):
        parser.add_argument(f"--{option}-root", type=Path, help="its folder (default: under data/)")


def state(run: Run) -> tuple[str, str]:
    """A run's state in one word, and a remark."""
    upstream = run.upstream()
    if upstream and not upstream.card.is_file():
        return "missing", f"waits for {upstream.recipe}"
    if waiting := [trial for trial in trials(run) if state(trial)[0] != "done"]:
        return "missing", f"waits for {len(waiting)} trials"
    try:
        word, changed = state_of(run, run.config())
    except AllDivergedError as error:
        return "missing", str(error)
    who = holder(run.folder)
    return word, f"changed: {', '.join(changed[:4])}" if changed else f"{who} trains it" if who else ""


def show(planned: Iterable[tuple[Run, str, str]]) -> None:
    """A table of runs, each with its state and a remark."""
    table = Table("recipe", "seed", "stage", "state", "remark", "folder")
    for run, word, remark in planned:
        table.add_row(run.name, str(run.seed), run.folder.name, word, remark, str(run.folder))  # with its protocol
    console.print(table)


def processes(run: Run, args: argparse.Namespace) -> int:
    """The processes asked for, at most one per image of the batch: the detector's batch is four."""
    return min(args.gpus, max(1, run.batch().total // max(1, args.accumulate)))


def check(planned: list[Run], args: argparse.Namespace) -> None:
    """Raise ValueError for batches that do not divide or fill, and backbones that a later stage cannot take."""
    check_jobs(args)
    check_writable("--work-dir", args.work_dir)
    check_tracker(args.tracker)
    low_precision(args.precision)
    check_compiler(args.compile)
    upstream = {run.card: run for run in planned if run.stage == FIRST}
    for run in planned:
        try:
            check_run(run, args, upstream.get(run.card))
        except ValueError as error:
            if len({each.name for each in planned}) == 1:
                raise
            raise ValueError(f"{run.name}: {error}") from error
    for line in dict.fromkeys(smaller(run, args) for run in planned if processes(run, args) < args.gpus):
        print(line, file=sys.stderr)


def check_run(run: Run, args: argparse.Namespace, trunk: Run | None) -> None:
    """Raise ValueError for what `check` names; `trunk` makes the card that it will read."""
    if GIVEN in run.sets:
        check_given(run)
    data.check_filled(run, run.batch(processes(run, args), args.accumulate))
    if run.stage != FIRST and trunk:
        try:
            run.connected(untrained_card(trunk.layers.cfg, run.recipe))
        except ValueError as error:
            raise ValueError(f"{error}; leave {run.stage} out (--stages), or take another backbone") from error


def smaller(run: Run, args: argparse.Namespace) -> str:
    """What is said where not each process that was asked for has an image of a batch."""
    return (
        f"{run.folder.name}: {processes(run, args)} of --gpus {args.gpus}, as its batch has {run.batch().total} images"
    )


def check_given(run: Run) -> None:
    """Raise ValueError for given weights that do not fit, or whose row holds those of another file."""
    cfg = run.layers.cfg
    put(cfg.model.given, MODELS.build(cfg.model.backbone))
    if "model.given.sha256" in state_of(run, run.config())[1]:
        raise ValueError(f"{run.folder} is of other weights under the same name; give these another --row NAME")


def check_data(planned: list[Run]) -> None:
    """Make the embedded data; raise FileNotFoundError or ValueError for a missing backbone or missing data."""
    for run in on_kept_backbones(planned):
        run.backbone()
    for run in readers(planned):
        data.check_data(run)


def on_kept_backbones(planned: list[Run]) -> Iterable[Run]:
    """The runs whose card none of them makes: it has to be there."""
    coming = {run.card for run in planned if run.stage == FIRST}
    return [run for run in planned if run.card not in coming]


def readers(planned: list[Run]) -> Iterable[Run]:
    """One run for each data set that is read."""
    return {(run.stage, run.root): run for run in planned}.values()


def show_gaps(planned: list[Run]) -> None:
    """Print one line per backbone that is missing, and data set that is missing, incomplete or the user's.

    Embedded data are made when needed.
    """
    for run in on_kept_backbones(planned):
        if not run.card.is_file():
            console.print(f"{run.stage}: {run.card} does not exist; with --stages {FIRST} it is made", markup=False)
    for run in readers(planned):
        if not data.maker(run):
            try:
                remark = data.look_at_data(run)
            except (ValueError, OSError) as error:
                remark = f"{run.stage}: {error}"
            if remark:
                console.print(remark, markup=False)


def titles(planned: list[Run]) -> list[str]:
    """A short title for each run; with its seed, and its protocol, where there are several."""
    seeds = len({run.seed for run in planned}) > 1
    protocols = len({(run.name, run.seed, run.stage) for run in planned}) < len(planned)
    words = [
        (run.name, *([f"seed {run.seed}"] if seeds else []), run.folder.name if protocols else run.stage)
        for run in planned
    ]
    return [f"[{i}/{len(words)}] {' '.join(each)}" for i, each in enumerate(words, 1)]


def train_words(run: Run, args: argparse.Namespace) -> list[str]:
    """The command line, without the program's name, that carries a run out as the options say."""
    options = ["--tracker", args.tracker] if args.tracker != TRACKERS[0] else []
    options += ["--accumulate", str(args.accumulate)] if args.accumulate > 1 else []
    options += ["--precision", args.precision] if args.precision else []
    options += ["--compile"] * args.compile + ["--keep-state"] * args.keep_state
    return ["train", *run.words(), *options]
