"""Progress of a training: step, rate, time left; and of work on many files. A log gets a training's line every 15 s."""

import atexit
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.pool import ThreadPool  # decoding and hashing release the GIL
from typing import Any

from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn, track

from trick_transfer.registry import HOOKS

LOG_EVERY_SECONDS = 15.0
CHUNK = 32  # files a thread takes at once
MANY = 1000  # files whose progress is shown


def over_threads(work: Callable, items: list, title: str) -> Iterator[Any]:
    """`work(item)` of each item, in order, over all cores; with a progress bar if they are MANY."""
    with ThreadPool() as pool:
        done = pool.imap(work, items, CHUNK)
        yield from track(done, title, len(items), console=Console(stderr=True), disable=len(items) <= MANY)


@HOOKS.register_module()
class ProgressLine(Hook):
    """`title  step/steps  images/s  time left  loss`, for training and scoring."""

    priority = "LOW"

    def __init__(self, title: str) -> None:
        self.title = title
        self.console = Console(file=sys.stderr)
        self.bar: Progress | None = None
        self.loss: float | None = None
        atexit.register(self.stop)  # after Ctrl-C too: a bar that is not stopped hides the terminal's cursor

    def start(self, phase: str, steps: int, done: int, images_per_step: int) -> None:
        self.phase, self.steps, self.first, self.images_per_step = phase, steps, done, images_per_step
        self.begun = self.said = time.monotonic()
        self.loss = None
        if is_main_process() and self.console.is_terminal:
            title, rate, left = (TextColumn(text) for text in ("{task.description}", "{task.fields[rate]}", "left"))
            columns = title, BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn(), left
            self.bar = Progress(*columns, console=self.console)
            self.task = self.bar.add_task(f"{self.title} {phase}", total=steps, completed=done, rate="")
            self.bar.start()

    def step(self, done: int) -> None:
        now = time.monotonic()
        rate = (done - self.first) * self.images_per_step / max(now - self.begun, 1e-9)
        text = f"{rate:6.1f} images/s" + ("" if self.loss is None else f"  loss {self.loss:.3f}")
        if self.bar:
            self.bar.update(self.task, completed=done, rate=text)
        elif is_main_process() and (now - self.said > LOG_EVERY_SECONDS or done == self.steps):
            self.said = now
            left = (self.steps - done) * self.images_per_step / rate
            line = f"{self.title} {self.phase}  step {done}/{self.steps}  {text}  {left:.0f} s left"
            print(line, file=sys.stderr, flush=True)

    def stop(self) -> None:
        if self.bar:
            self.bar.stop()
            self.bar = None

    def before_train(self, runner: Any) -> None:
        self.start("train", runner.max_iters, runner.iter, runner.train_dataloader.batch_size * get_world_size())

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if runner.iter % 10 == 0 and "loss" in outputs:  # rarely: `.item()` waits for the device
            self.loss = outputs["loss"].item()
        self.step(runner.iter + 1)

    def after_train(self, runner: Any) -> None:
        self.stop()

    def before_val(self, runner: Any) -> None:
        if not self.training(runner):
            self.score(runner.val_dataloader)

    def after_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if not self.training(runner):
            self.step(batch_idx + 1)

    def after_val(self, runner: Any) -> None:
        if not self.training(runner):
            self.stop()

    def before_test(self, runner: Any) -> None:
        self.score(runner.test_dataloader)

    def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.step(batch_idx + 1)

    def after_test(self, runner: Any) -> None:
        self.stop()

    def score(self, loader: Any) -> None:
        self.start("score", len(loader), 0, loader.batch_size * get_world_size())

    def training(self, runner: Any) -> bool:
        """Whether this validation is part of a training, whose progress line stays."""
        return bool(self.bar) if self.console.is_terminal else 0 < runner.iter < runner.max_iters
