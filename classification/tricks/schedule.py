"""The learning rate's schedule: warm-up (sec. 3.1; Goyal et al. 2017), then step or cosine decay (sec. 5.1, eq. 1).

Warm-up: at batch i of the first m, the rate is i eta / m. Cosine: over the T batches after the warm-up, at batch t it
is (1 + cos(t pi / T)) eta / 2. Steps are at absolute epochs, warm-up included, as in the authors' code.
"""

from collections.abc import Sequence

from mmengine.config import Config

DECAYS = ("step", "cosine")


def schedule(cfg: Config, warmup_epochs: float = 5, decay: str = "cosine") -> None:
    """Set the slot `schedule`."""
    if decay not in DECAYS or warmup_epochs < 0:
        raise ValueError(
            f"schedule: decay is one of {DECAYS} and warmup_epochs >= 0, not {decay!r} and {warmup_epochs}"
        )
    cfg.schedule.update(warmup_epochs=warmup_epochs, decay=decay)


def schedulers(
    steps_per_epoch: int, max_epochs: int, warmup_epochs: float, decay: str, milestones: Sequence[float]
) -> list[dict]:
    """The schedule as mmengine's schedulers, stepped every batch."""
    warmup, total = round(warmup_epochs * steps_per_epoch), max_epochs * steps_per_epoch
    plan: list[dict] = []
    if warmup > 1:
        plan.append(dict(type="LinearLR", by_epoch=False, start_factor=1 / warmup, begin=0, end=warmup))
    if decay == "cosine":
        rest = total - warmup
        plan.append(dict(type="CosineAnnealingLR", by_epoch=False, eta_min=0.0, T_max=rest, begin=warmup, end=total))
    else:
        steps = [round(epoch * steps_per_epoch) for epoch in milestones]
        plan.append(dict(type="MultiStepLR", by_epoch=False, milestones=steps, gamma=0.1))
    return plan
