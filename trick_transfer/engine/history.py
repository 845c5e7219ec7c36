"""Curves by epoch and training seconds, for a run's result; a loss that is no number ends the training.

Curves and seconds are in mmengine's message hub, which is part of the checkpoint, so that a resumed run keeps them.
"""

import time
from math import inf, isfinite
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook, LoggerHook

from trick_transfer.registry import HOOKS

CURVES, SECONDS = "curves", "seconds"
STEPS, TIMES = 20, 1000  # of a loss that will not come back; one of 20 batches in a row is below in any that does


class Diverged(ValueError):
    """A training's loss is no number any more, or far above its start."""


@HOOKS.register_module()
class OpenLogger(LoggerHook):
    """mmengine's, but trackers stay open after training: the scoring belongs to the same run."""

    def after_run(self, runner: Any) -> None:
        pass


@HOOKS.register_module()
class History(Hook):
    """After each epoch: its mean loss and last learning rate; after each scoring, the metrics."""

    priority = "LOW"  # before the checkpoint is written

    def before_train(self, runner: Any) -> None:
        self.begun = time.time() - seconds(runner)

    def after_train_iter(self, runner: Any, *position: Any, **outputs: Any) -> None:
        runner.message_hub.update_info(SECONDS, time.time() - self.begun)

    def after_train_epoch(self, runner: Any) -> None:
        steps = len(runner.train_dataloader)
        scalars = runner.message_hub.log_scalars
        loss, lr = scalars["train/loss"].mean(steps), scalars["train/lr"].current()
        self.add(runner, {"loss": float(loss), "lr": float(lr)}, runner.epoch + 1)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        percents = {name: float(value) for name, value in (metrics or {}).items() if "samples_scored" not in name}
        self.add(runner, percents, runner.epoch)

    def add(self, runner: Any, values: dict[str, float], epoch: int) -> None:
        known = curves(runner)
        for name, value in values.items():
            points = known.setdefault(name, [])
            if not points or points[-1][0] < epoch:  # a second scoring of one epoch is left out
                points.append([epoch, value])
        runner.message_hub.update_info(CURVES, known)


@HOOKS.register_module()
class FiniteLoss(Hook):
    """Raises Diverged at the first loss that is NaN or infinite, or once STEPS of them are TIMES the first or more.

    What follows would be trained on nothing. All processes raise at the step where one of them finds it. mmengine has
    read each loss from the device by then. Gradients are not looked at: in fp16 some overflow, and the loss scaling
    leaves their step out.
    """

    def after_train_iter(self, runner: Any, *position: Any, **outputs: Any) -> None:
        scalars = runner.message_hub.log_scalars
        losses, _ = scalars["train/loss"].data
        loss, lr = losses[-1], scalars["train/lr"].current()
        ends = not isfinite(loss) or losses[-STEPS:].min() >= TIMES * max(1.0, losses[0])
        worst = torch.tensor(0.0 if not ends else loss if isfinite(loss) else inf)
        all_reduce(worst, "max")
        if not worst:
            return
        raise Diverged(
            f"the loss is {loss if ends else float(worst)} at step {runner.iter + 1}, in epoch {runner.epoch + 1}, "
            f"with a rate of {lr:.3g}; at the first it was {losses[0]:.3g}: the training diverged; lower "
            "optim_wrapper.optimizer.lr, or raise the precision (--precision); downstream a protocol that ends in "
            "_swept tries several rates"
        )


def curves(runner: Any) -> dict[str, list[list[float]]]:
    """Name -> [epoch, value] pairs, epochs from 1."""
    return runner.message_hub.runtime_info.get(CURVES, {})


def seconds(runner: Any) -> float:
    """Seconds of all steps, those before a resume included."""
    return runner.message_hub.runtime_info.get(SECONDS, 0.0)
