"""Runs in their order: what is there, what is missing, and running that, each in a process of its own."""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

import classification.config
from classification.exported import untrained_card
from trick_transfer.runs.launch import launch
from trick_transfer.runs.run import STAGES, TIERS, Run
from trick_transfer.runs.tracking import TRACKERS, check_tracker

ROOTS = ("imagenet", "places365", "voc", "ade20k")
console = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 160)  # a log has no width of its own


def add_options(parser: argparse.ArgumentParser) -> None:
    """--tier --plan --gpus --accumulate --work-dir --tracker, and the data sets' roots."""
    parser.add_argument("--tier", choices=TIERS, default="mini", help="where the numbers come from (default: mini)")
    parser.add_argument("--plan", action="store_true", help="say what would run; train nothing")
    parser.add_argument("--gpus", type=int, default=1, help="processes; a stage uses at most one an image of its batch")
    parser.add_argument("--accumulate", type=int, default=1, help="steps whose gradients are added up")
    parser.add_argument("--work-dir", type=Path, default=Path("work"))
    parser.add_argument("--tracker", choices=TRACKERS, default=TRACKERS[0], help="of scalars and predictions")
    for name in ROOTS:
        parser.add_argument(f"--{name}-root", type=Path, help="the data set's folder (default: under data/)")


def data_root(stage: str, recipe: str, args: argparse.Namespace) -> Path | None:
    """The folder that was given for a stage's data, if one was; Places365's recipes have their own."""
    if stage != STAGES[0]:
        return {"detection": args.voc_root, "segmentation": args.ade20k_root}[stage]
    name = classification.config.load(recipe).data.name
    return args.places365_root if name == "places365" else args.imagenet_root


def lineage(run: Run) -> Iterator[Run]:
    """A run, after its teacher, after the teacher's own."""
    teacher = run.teacher()
    if teacher == run:
        raise ValueError(f"recipe {run.recipe} cannot be its own teacher")
    if teacher:
        yield from lineage(teacher)
    yield run


def state(run: Run) -> tuple[str, str]:
    """One word on a run, and a remark."""
    if run.stage != "classification" and not run.card.is_file():
        return "missing", "waits for the backbone"
    teacher = run.teacher()
    if teacher and not teacher.card.is_file():
        return "missing", f"waits for its teacher {teacher.recipe}"
    word, changed = run.state(run.config())
    return word, f"changed: {', '.join(changed[:4])}" if changed else ""


def show(planned: Iterable[tuple[Run, str, str]]) -> None:
    """A table of runs, each with its state and a remark."""
    table = Table("recipe", "seed", "stage", "state", "remark", "folder")
    for run, word, remark in planned:
        table.add_row(run.name, str(run.seed), run.stage, word, remark, str(run.folder))
    console.print(table)


def processes(run: Run, args: argparse.Namespace) -> int:
    """As many as asked for, but no more than the batch has images: the detector's paper batch is four."""
    return min(args.gpus, max(1, run.batch(run.draft()).total // max(1, args.accumulate)))


def check(planned: list[Run], args: argparse.Namespace) -> None:
    """Refuse unknown keys, impossible values, indivisible batches and unfit backbones before anything is trained."""
    check_tracker(args.tracker)
    upstream = {run.card: run for run in planned if run.stage == STAGES[0]}
    for run in planned:
        run.batch(run.draft(), processes(run, args), args.accumulate)
        if run.stage != STAGES[0] and run.card in upstream:
            card = untrained_card(upstream[run.card].classification(), run.recipe)
            try:
                run.downstream(card)
            except ValueError as error:
                raise ValueError(f"{error}; leave {run.stage} out (--stages), or take another backbone") from error


def check_data(planned: list[Run]) -> None:
    """Refuse a missing backbone or data of any stage before anything is trained; make the embedded data."""
    coming = {run.card for run in planned if run.stage == STAGES[0]}
    for run in planned:
        if run.card not in coming:
            run.backbone()
    for run in readers(planned):
        run.check_data()


def readers(planned: list[Run]) -> Iterable[Run]:
    """One run for each data set that is read."""
    return {(run.stage, run.root): run for run in planned}.values()


def show_gaps(planned: list[Run]) -> None:
    """A line for each data set that a run would be refused for; the embedded one is made by then."""
    for run in readers(planned):
        if not run.embedded:
            try:
                run.look_at_data(run.draft())
            except (ValueError, OSError) as error:
                console.print(f"{run.stage}: {error}", markup=False)


def command(run: Run, args: argparse.Namespace) -> list[str]:
    """The words that train this stage."""
    words = [sys.executable, "tools/train.py", *run.words()]
    words += ["--tracker", args.tracker] if args.tracker != TRACKERS[0] else []
    return words + (["--accumulate", str(args.accumulate)] if args.accumulate > 1 else [])


def execute(planned: list[Run], args: argparse.Namespace) -> bool:
    """Run what is not done; returns whether anything ran. A stage's failure ends it: its own line says why."""
    ran = False
    for i, run in enumerate(planned, 1):
        word, remark = state(run)
        title = f"[{i}/{len(planned)}] {run.name} {run.stage}"
        if word == "done":
            console.print(f"{title}: done, {run.folder}")
            continue
        console.print(f"{title}: {word} {remark}".rstrip())
        begun = time.monotonic()
        code = launch(command(run, args), processes(run, args))
        if code < 0:
            raise OSError(f"{title} was killed by signal {-code} (9: out of memory?); the same command goes on")
        if code:
            raise SystemExit(code)
        console.print(f"{title}: {time.monotonic() - begun:.0f} s")
        ran = True
    return ran
