"""Runs in their order: what is there, what is missing, and running that, each in a process of its own."""

import argparse
import sys
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from backbones.registry import MODELS
from classification.classifier import untrained_card
from classification.follow import KEY
from classification.given import KEY as GIVEN
from classification.given import put
from trick_transfer.command_line import Stopped
from trick_transfer.data_sets.sources import DATA_SETS
from trick_transfer.engine.held_out import HELD_OUT
from trick_transfer.engine.precision import low_precision
from trick_transfer.engine.values import check_name
from trick_transfer.stages import STAGES

from . import data, tiers
from .command import add_places, add_training_options
from .compiling import check_compiler
from .launch import launch
from .resolve import TRACKERS, check_tracker
from .run import FIRST, Run, lineage
from .state import state as state_of
from .sweep import trials

console = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 160)  # a log has no width of its own


def add_options(parser: argparse.ArgumentParser) -> None:
    """--tier --work-dir, those of training, --plan --protocol, and the data sets' roots."""
    add_places(parser)
    add_training_options(parser)
    parser.add_argument("--plan", action="store_true", help="say what would run; train nothing")
    protocols = [name for stage in STAGES.values() for name in stage.protocols]
    parser.add_argument(
        "--protocol",
        nargs="+",
        action="extend",
        default=[],
        help=f"one for a stage, if not the paper's: {', '.join(protocols)}",
    )
    for option in dict.fromkeys(filter(None, (data_set.option for data_set in DATA_SETS.values()))):
        parser.add_argument(f"--{option}-root", type=Path, help="its folder (default: under data/)")


def run_of(stage: str, recipe: str, seed: int, args: argparse.Namespace, sets: dict[str, Any] | None = None) -> Run:
    """One stage of one recipe, reading its data where the options say."""
    protocol = next((name for name in args.protocol if name in STAGES[stage].protocols), None)
    run = Run(stage, recipe, args.tier, seed, sets or {}, protocol, args.work_dir)
    if run.source:
        return run
    names = run.tier_file.data(stage), run.task.data_name(run.task.draft(run.recipe_or_protocol, {}).cfg)
    options = (DATA_SETS[name].option for name in names if name in DATA_SETS)
    option = next(filter(None, options), None)
    return replace(run, data_root=vars(args)[f"{option.replace('-', '_')}_root"]) if option else run


def check_protocols(asked: Iterable[str], stages: Collection[str]) -> None:
    """Raise ValueError for an unknown protocol, one of a stage that is not run, and two of one stage."""
    stage_of = {name: stage.name for stage in STAGES.values() for name in stage.protocols}
    taken: dict[str, str] = {}
    for name in asked:
        check_name("--protocol", name, stage_of)
        stage = stage_of[name]
        if stage not in stages:
            raise ValueError(f"--protocol {name} is of {stage}, which is not run; add it to --stages, or leave it out")
        if (first := taken.setdefault(stage, name)) != name:
            raise ValueError(f"--protocol {first} {name}: one protocol a stage; run the command once for each")


def chain(recipe: str, seed: int, stages: Sequence[str], sets: dict[str, Any], args: argparse.Namespace) -> list[Run]:
    """A recipe's stages in order; a teacher's training is before its student's, a sweep's trials before its run."""
    check_protocols(args.protocol, stages)
    own = by_stage(sets, stages)
    first = replace(run_of(FIRST, recipe, seed, args, own[FIRST]), tier=tiers.of_backbones(args.tier))
    later = [run_of(stage, recipe, seed, args, own[stage]) for stage in STAGES if stage in stages and stage != FIRST]
    upstream = FIRST in stages or ((first.tier != args.tier or GIVEN in first.sets) and not first.card.is_file())
    named = [replace(run, recipe=first.name) for run in later]
    return [*(lineage(first) if upstream else ()), *(each for run in named for each in (*trials(run), run))]


def by_stage(sets: dict[str, Any], stages: Sequence[str]) -> dict[str, dict]:
    """Settings by stage: whom to follow and what to hold out is each one's, others without a stage's name the recipe's.

    Raises ValueError for a stage that is not run.
    """
    shared = {key: value for key, value in sets.items() if key.split(".")[0] in (KEY, HELD_OUT)}
    own = {stage: dict(shared) for stage in STAGES}
    downstream = own.keys() - {FIRST}
    for key, value in sets.items():
        stage, _, rest = key.partition(".")
        if close := get_close_matches(stage, downstream, 1, cutoff=0.8):
            check_name("stage", stage, close)
            if stage not in stages:
                raise ValueError(f"--set {key}: {stage} is not run; add it to --stages, or leave the key out")
            own[stage][rest] = value
        else:
            own[FIRST][key] = value
    return own


def state(run: Run) -> tuple[str, str]:
    """A run's state in one word, and a remark."""
    upstream = run.upstream()
    if upstream and not upstream.card.is_file():
        return "missing", f"waits for {upstream.recipe}"
    if waiting := [trial for trial in trials(run) if state(trial)[0] != "done"]:
        return "missing", f"waits for {len(waiting)} trials"
    word, changed = state_of(run, run.config())
    return word, f"changed: {', '.join(changed[:4])}" if changed else ""


def show(planned: Iterable[tuple[Run, str, str]]) -> None:
    """A table of runs, each with its state and a remark."""
    table = Table("recipe", "seed", "stage", "state", "remark", "folder")
    for run, word, remark in planned:
        table.add_row(run.name, str(run.seed), run.stage, word, remark, str(run.folder))
    console.print(table)


def processes(run: Run, args: argparse.Namespace) -> int:
    """The processes asked for, at most one per image of the batch: the detector's batch is four."""
    return min(args.gpus, max(1, run.batch().total // max(1, args.accumulate)))


def check(planned: list[Run], args: argparse.Namespace) -> None:
    """Raise ValueError for batches that do not divide or fill, and backbones that a later stage cannot take."""
    check_tracker(args.tracker)
    low_precision(args.precision)
    check_compiler(args.compile)
    upstream = {run.card: run for run in planned if run.stage == FIRST}
    for run in planned:
        if GIVEN in run.sets:
            check_given(run)
        data.check_filled(run, run.batch(processes(run, args), args.accumulate))
        if run.stage != FIRST and run.card in upstream:
            try:
                run.connected(untrained_card(upstream[run.card].layers.cfg, run.recipe))
            except ValueError as error:
                raise ValueError(f"{error}; leave {run.stage} out (--stages), or take another backbone") from error


def check_given(run: Run) -> None:
    """Raise ValueError for given weights that do not fit, or whose row holds those of another file."""
    cfg = run.layers.cfg
    put(cfg.model.given, MODELS.build(cfg.model.backbone))
    if "model.given.sha256" in state_of(run, run.config())[1]:
        raise ValueError(f"{run.folder} is of other weights under the same name; give these another --row NAME")


def check_data(planned: list[Run]) -> None:
    """Make the embedded data; raise FileNotFoundError or ValueError for a missing backbone or missing data."""
    coming = {run.card for run in planned if run.stage == FIRST}
    for run in planned:
        if run.card not in coming:
            run.backbone()
    for run in readers(planned):
        data.check_data(run)


def readers(planned: list[Run]) -> Iterable[Run]:
    """One run for each data set that is read."""
    return {(run.stage, run.root): run for run in planned}.values()


def show_gaps(planned: list[Run]) -> None:
    """Print one line per data set that is missing, incomplete or the user's; embedded data are made when needed."""
    for run in readers(planned):
        if not data.maker(run):
            try:
                remark = data.look_at_data(run)
            except (ValueError, OSError) as error:
                remark = f"{run.stage}: {error}"
            if remark:
                console.print(remark, markup=False)


def execute(planned: list[Run], args: argparse.Namespace) -> bool:
    """Run what is not done; returns whether anything ran. A stage's failure ends it: its own line says why."""
    ran = False
    options = ["--tracker", args.tracker] if args.tracker != TRACKERS[0] else []
    options += ["--accumulate", str(args.accumulate)] if args.accumulate > 1 else []
    options += ["--precision", args.precision] if args.precision else []
    options += ["--compile"] if args.compile else []
    for i, run in enumerate(planned, 1):
        word, remark = state(run)
        title = f"[{i}/{len(planned)}] {run.name} {run.stage}"
        if word == "done":
            console.print(f"{title}: done, {run.folder}")
            continue
        console.print(f"{title}: {word} {remark}".rstrip())
        begun = time.monotonic()
        code = launch(["train", *run.words(), *options], processes(run, args))
        if code < 0:
            raise OSError(f"{title} was killed by signal {-code} (9: out of memory?); the same command resumes")
        if code > 128:
            raise Stopped(code - 128)
        if code:
            raise SystemExit(code)
        console.print(f"{title}: {time.monotonic() - begun:.0f} s")
        ran = True
    return ran
