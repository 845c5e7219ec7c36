"""Runs what is planned: one run after another on this terminal, or as many side by side as the options allow."""

import argparse
import time

from trick_transfer.command_line import Stopped

from .driver import drive
from .launch import check_not_killed, launch
from .plan import console, processes, state, titles, train_words
from .run import Run
from .workers import workers_of


def execute(planned: list[Run], args: argparse.Namespace) -> bool:
    """Run what is not done; returns whether anything ran. Raises SystemExit where a run failed."""
    if workers := workers_of(args):
        return drive(planned, workers)
    return in_order(planned, args)


def in_order(planned: list[Run], args: argparse.Namespace) -> bool:
    """One after another. A stage's failure ends it: its own line says why."""
    ran = False
    for run, title in zip(planned, titles(planned), strict=True):
        word, remark = state(run)
        if word == "done":
            console.print(f"{title}: done, {run.folder}")
            continue
        console.print(f"{title}: {word} {remark}".rstrip())
        begun = time.monotonic()
        code = launch(train_words(run, args), processes(run, args))
        check_not_killed(code, title)
        if code > 128:
            raise Stopped(code - 128)
        if code:
            raise SystemExit(code)
        console.print(f"{title}: {time.monotonic() - begun:.0f} s")
        ran = True
    return ran
