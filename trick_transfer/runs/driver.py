"""Many runs side by side: each starts once all that it needs is done, and a failure stops only what waits for it.

Nothing is remembered but in the runs' folders. So a driver that is killed goes on with the same command, and several
drivers share one work folder, from several machines, too: each passes over what another one runs, and takes it as done
once it is.
"""

import sys
import time
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Protocol

from trick_transfer.engine.claim import holder

from .begun import last_line
from .places import LOG
from .plan import console, state, titles
from .run import Run
from .sweep import trials

POLL_SECONDS = 1.0


class Workers(Protocol):
    """What carries runs out."""

    def room(self, run: Run) -> bool:
        """Whether it may start now."""

    def start(self, run: Run) -> str:
        """Start it; returns in words what it does now, and where."""

    def send(self) -> None:
        """Called when all that can start now has been started."""

    def ended(self) -> Iterator[tuple[Run, int]]:
        """Each run that has ended since the last call, and its exit code, negative for a signal."""

    def stop(self) -> str:
        """Called when the driver ends early; returns in words what becomes of the runs."""


def needs(planned: list[Run]) -> dict[Path, list[Path]]:
    """For each run's folder, those of the planned runs whose backbone, teacher or trials it needs."""
    folders = {run.folder for run in planned}
    upstream = {run.folder: [run.upstream(), *trials(run)] for run in planned}
    return {
        folder: [each.folder for each in some if each and each.folder in folders] for folder, some in upstream.items()
    }


def drive(planned: list[Run], workers: Workers) -> bool:
    """Run all that can be run; returns whether anything ran. Raises SystemExit(1) where a run failed."""
    driver = Driver(planned, workers)
    try:
        while driver.step():
            time.sleep(POLL_SECONDS)
    except BaseException:
        console.print(workers.stop(), markup=False)
        raise
    for title in driver.stopped():
        print(title, file=sys.stderr)
    if driver.failed:
        raise SystemExit(1)
    return driver.ran


class Driver:
    """Who waits for what, and what has become of it."""

    def __init__(self, planned: list[Run], workers: Workers) -> None:
        self.workers = workers
        self.runs = {run.folder: run for run in planned}
        self.titles = dict(zip(self.runs, titles(planned), strict=True))
        self.graph = needs(planned)
        self.sorter = TopologicalSorter(self.graph)
        self.sorter.prepare()
        self.queue: list[Run] = []
        self.running: dict[Path, float] = {}  # since when
        self.elsewhere: dict[Path, str] = {}  # who runs it
        self.failed: dict[Path, str] = {}
        self.done: set[Path] = set()
        self.ran = False

    def step(self) -> bool:
        """Take note of what has ended, and start what can start; returns whether anything is left to wait for."""
        for run, code in self.workers.ended():
            self.end(run, code)
        self.advance()
        for run in list(self.queue):
            if run.folder in self.elsewhere or self.workers.room(run):
                self.consider(run)
        self.workers.send()
        self.advance()
        return bool(self.queue or self.running)

    def advance(self) -> None:
        """Queue the runs that need nothing any more, unless they are done."""
        while new := self.sorter.get_ready():
            self.queue += [run for run in map(self.runs.__getitem__, new) if not self.is_over(run)]

    def is_over(self, run: Run) -> bool:
        """Whether nothing is left to do for a run that needs nothing any more: it is done, or cannot be run."""
        try:
            word, _ = state(run)
        except (ValueError, OSError) as error:
            self.fail(run, str(error).splitlines()[0])
            return True
        if word == "done":
            self.finish(run, f"done, {run.folder}")
        return word == "done"

    def consider(self, run: Run) -> None:
        """Start a run, unless another driver runs it or has done it."""
        if who := holder(run.folder):
            if self.elsewhere.get(run.folder) != who:
                self.tell(run, f"another driver runs it ({who}); this one waits")
            self.elsewhere[run.folder] = who
            return
        self.elsewhere.pop(run.folder, None)
        if self.is_over(run):
            self.queue.remove(run)
        elif self.workers.room(run):
            self.queue.remove(run)
            self.running[run.folder] = time.monotonic()
            self.tell(run, f"{self.workers.start(run)}, log {run.folder / LOG}")

    def end(self, run: Run, code: int) -> None:
        """Take note that a run has ended."""
        seconds = time.monotonic() - self.running.pop(run.folder)
        if not code:
            self.ran = True
            self.finish(run, f"{seconds:.0f} s")
        elif holder(run.folder):  # another driver was faster
            self.queue.append(run)
        elif not self.is_over(run):
            self.fail(run, f"{ending(code)}: {last_line(run.folder / LOG)}" if code > 0 else ending(code))

    def finish(self, run: Run, words: str) -> None:
        self.tell(run, words)
        self.done.add(run.folder)
        self.sorter.done(run.folder)

    def fail(self, run: Run, why: str) -> None:
        self.failed[run.folder] = why
        self.tell(run, f"failed, {why}")

    def tell(self, run: Run, words: str) -> None:
        console.print(f"{self.titles[run.folder]}: {words}", markup=False)

    def stopped(self) -> Iterator[str]:
        """A line for each run that failed, and for each that waits for one."""
        for folder, title in self.titles.items():
            if why := self.failed.get(folder):
                yield f"{title}: failed, {why}"
            elif folder not in self.done:
                missing = [self.titles[each] for each in self.graph[folder] if each not in self.done]
                yield f"{title}: not run, it needs {missing[0]}"


def ending(code: int) -> str:
    """An exit code in words."""
    return f"killed by signal {-code} (9: out of memory?)" if code < 0 else f"exit code {code}"
