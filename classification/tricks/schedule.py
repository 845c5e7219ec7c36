"""The learning rate's schedule: warm-up (sec. 3.1; Goyal et al. 2017), then step or cosine decay (sec. 5.1, eq. 1).

Warm-up: at batch i of the first m, the rate is i eta / m. Cosine: over the T batches after the warm-up, at batch t it
is (1 + cos(t pi / T)) eta / 2. Steps are at absolute epochs, warm-up included, as in the authors' code. That code
counts the warm-up's batches from 0 (`warmup_from`), so that its first update changes nothing.
"""

from collections.abc import Sequence
from typing import Any

from mmengine.config import Config

from trick_transfer.engine.values import check_name

SLOTS = {  # two tricks of the paper in one slot
    "warm-up": ("schedule.warmup_epochs",),
    "cosine decay": ("schedule.decay",),
    "warm-up and cosine decay": ("schedule.warmup_epochs", "schedule.decay"),
}
DECAYS = ("step", "cosine")
NEXT_TO_NOTHING = 1e-9  # of the rate: mmengine's LinearLR cannot start from 0


def schedule(cfg: Config, warmup_epochs: float = 5, decay: str = "cosine") -> None:
    """Set the slot `schedule`."""
    cfg.schedule.update(warmup_epochs=warmup_epochs, decay=decay)


def check_schedule(cfg: Config) -> None:
    """Raise ValueError for an unknown decay, or a warm-up that is negative or longer than the training."""
    epochs, warmup = cfg.max_epochs, cfg.schedule.warmup_epochs
    check_name("schedule: decay", cfg.schedule.decay, DECAYS)
    if (first := cfg.schedule.get("warmup_from", 1)) not in (0, 1):
        raise ValueError(f"schedule: warmup_from must be 0 or 1, got {first!r}")
    if 0 < epochs <= warmup:
        raise ValueError(f"max_epochs={epochs} end before the warm-up's {warmup}; lower tricks.schedule.warmup_epochs")


def schedulers(
    steps_per_epoch: int,
    max_epochs: int,
    warmup_epochs: float,
    decay: str,
    milestones: Sequence[float],
    warmup_from: int = 1,
) -> list[dict]:
    """The schedule as mmengine's schedulers, stepped every batch; the warm-up counts its batches from 1 or 0."""
    warmup, total = round(warmup_epochs * steps_per_epoch), max_epochs * steps_per_epoch
    plan: list[dict[str, Any]] = []
    if warmup > 1:
        start = warmup_from / warmup or NEXT_TO_NOTHING
        plan.append(dict(type="LinearLR", start_factor=start, begin=0, end=warmup + 1 - warmup_from))
    if decay == "step":  # divided by 10 at each milestone
        at = [round(epoch * steps_per_epoch) for epoch in milestones]
        plan.append(dict(type="MultiStepLR", milestones=at, gamma=0.1))
    else:  # eq. 1
        plan.append(dict(type="CosineAnnealingLR", eta_min=0.0, T_max=total - warmup, begin=warmup, end=total))
    return [dict(each, by_epoch=False) for each in plan]
