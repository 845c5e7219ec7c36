#!/usr/bin/env python
"""From a recipe to its row of the leaderboard: train, export, fine-tune and score; what is done is not done again.

tools/pipeline.sh resnet50d_best                  on the embedded benchmark, in minutes
tools/pipeline.sh resnet50d_best --plan           what would run, what is there, what is missing
tools/pipeline.sh resnet50d_best --tier paper --gpus 8 --imagenet-root /data/imagenet ...
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not tools/, whose leaderboard.py hides the package

from rich.console import Console
from rich.table import Table

from backbones.card import read_card
from leaderboard import results, tables, writers
from tools.command import tool
from tools.run import STAGES, TIERS, Run, parse_sets

console = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 160)  # a log has no width of its own


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help="see classification/recipes")
    parser.add_argument("--tier", choices=TIERS, default="mini", help="where the numbers come from (default: mini)")
    parser.add_argument("--plan", action="store_true", help="say what would run; train nothing")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES, metavar="STAGE", help=", ".join(STAGES))
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="sets",
        help="a key of the recipe; with detection. or segmentation. before it, of that stage",
    )  # fmt: skip
    parser.add_argument("--gpus", type=int, default=1, help="processes; a stage uses at most one an image of its batch")
    parser.add_argument("--accumulate", type=int, default=1, help="steps whose gradients are added up")
    parser.add_argument("--work-dir", type=Path, default=Path("work"))
    for name in ("imagenet", "voc", "ade20k"):
        parser.add_argument(f"--{name}-root", type=Path, help="the data set's folder (default: under data/)")
    return parser.parse_args()


def runs(args: argparse.Namespace) -> Iterator[Run]:
    """The stages in order; a teacher's training stands before its student's."""
    own: dict[str, dict] = {stage: {} for stage in STAGES}
    for key, value in parse_sets(args.sets).items():
        stage, _, rest = key.partition(".")
        if stage in STAGES[1:]:
            own[stage][rest] = value
        else:
            own[STAGES[0]][key] = value
    roots = dict(zip(STAGES, (args.imagenet_root, args.voc_root, args.ade20k_root), strict=True))
    first = Run(STAGES[0], args.recipe, args.tier, args.seed, own[STAGES[0]], None, args.work_dir, roots[STAGES[0]])
    for stage in STAGES:
        if stage in args.stages and stage == first.stage:
            yield from lineage(first)
        elif stage in args.stages:
            yield replace(first, stage=stage, recipe=first.name, sets=own[stage], data_root=roots[stage])


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


def show_plan(planned: list[Run]) -> None:
    """A table of what is there and what would run."""
    table = Table("recipe", "seed", "stage", "state", "remark", "folder")
    for run in planned:
        table.add_row(run.name, str(run.seed), run.stage, *state(run), str(run.folder))
    console.print(table)


def processes(run: Run, args: argparse.Namespace) -> int:
    """As many as asked for, but no more than the batch has images: the detector's paper batch is four."""
    return min(args.gpus, max(1, run.batch(run.draft()).total // max(1, args.accumulate)))


def check(planned: list[Run], args: argparse.Namespace) -> None:
    """Refuse any stage's unknown keys, impossible values and indivisible batch before anything is trained."""
    for run in planned:
        run.batch(run.draft(), processes(run, args), args.accumulate)


def command(run: Run, args: argparse.Namespace) -> list[str]:
    """The words that train this stage: plain, or through torchrun."""
    words = [sys.executable]
    devices = processes(run, args)
    if devices > 1:
        words += ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(devices)]
    words += ["tools/train.py", *run.words()]
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
        code = subprocess.run(command(run, args), check=False).returncode
        if code < 0:
            raise OSError(f"{title} was killed by signal {-code} (9: out of memory?); the same command goes on")
        if code:
            raise SystemExit(code)
        console.print(f"{title}: {time.monotonic() - begun:.0f} s")
        ran = True
    return ran


def check_data(planned: list[Run]) -> None:
    """Refuse a missing backbone or data of any stage before anything is trained; make the embedded data."""
    coming = {run.card for run in planned if run.stage == STAGES[0]}
    for run in planned:
        if run.card not in coming:
            read_card(run.card)
    for stage in {run.stage: run for run in planned}.values():
        stage.check_data()


def main() -> int:
    """Plan, check, run, rank."""
    args = options()
    planned = list(runs(args))
    check(planned, args)
    if args.plan:
        show_plan(planned)
        return 0
    check_data(planned)
    if not execute(planned, args):
        console.print("all is done already")
    last = planned[-1]
    found, _ = results.read_all(last.results_root)
    console.print(*writers.screens(tables.tables(found), last.name, last.tier))
    return 0


if __name__ == "__main__":
    sys.exit(tool(main))
