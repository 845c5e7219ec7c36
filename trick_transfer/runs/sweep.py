"""A swept protocol: rate and length are chosen for each backbone, on training images that are held out.

A trial is a run of the protocol with one rate and one length: it trains on the other images, is scored on these, and
has no row; one that diverges has no score, and is the worst. The sweep's own run takes the best trial's values and
trains on all images. It alone scores the test images.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from mmengine.config import Config

from trick_transfer.engine import held_out
from trick_transfer.engine.stage import Stage

from .result import DIVERGED, FILE_NAME, Result, read

if TYPE_CHECKING:
    from .run import Run

SWEEP = "sweep"  # the protocol's key
SWEPT = (f"{SWEEP}.", "optim_wrapper.optimizer.lr", "train_cfg.", "param_scheduler.")  # what a choice changes
IN_EPOCHS = ("begin", "end", "milestones", "T_max")  # of a schedule


class AllDivergedError(ValueError):
    """No trial of a sweep has a score."""


class Trial(NamedTuple):
    """One rate and one length, as factors of the protocol's own, and what came of them.

    `score` is in percent, None where the training diverged.
    """

    rate: float
    length: float
    score: float | None
    device_hours: float


def is_trial(cfg: Config) -> bool:
    """Whether a swept protocol's rate or length is set by hand."""
    return SWEEP in cfg and (cfg.sweep.rate is not None or cfg.sweep.length is not None)


def is_swept(key: str, config: dict[str, Any]) -> bool:
    """Whether a config's value at a dotted key is what a sweep chose."""
    return SWEEP in config and key.startswith(SWEPT)


def make_trial(cfg: Config, task: Stage) -> None:
    """Turn a swept protocol with a rate and a length into a run that holds images out. Raises ValueError."""
    rate, length = (1.0 if each is None else each for each in (cfg.sweep.rate, cfg.sweep.length))
    for name, factor in {"rate": rate, "length": length}.items():
        if isinstance(factor, bool) or not isinstance(factor, int | float) or factor <= 0:
            raise ValueError(
                f"{SWEEP}.{name} must be a number above 0, the factor of the protocol's own, got {factor!r}"
            )
    held_out.add_key(cfg, task)
    cfg.held_out.update(share=cfg.sweep.share, score="last", test=False)
    take(cfg, rate, length)


def take(cfg: Config, rate: float, length: float) -> None:
    """Multiply the rate, and all that is counted in epochs; a warm-up in steps keeps its length."""

    def times(epochs: Any) -> Any:
        if isinstance(epochs, list | tuple):
            return [times(each) for each in epochs]
        return max(round(epochs * length), min(epochs, 1))

    cfg.sweep.update(rate=rate, length=length)
    cfg.optim_wrapper.optimizer.lr *= rate
    cfg.train_cfg.max_epochs = times(cfg.train_cfg.max_epochs)
    cfg.train_cfg.val_begin = cfg.train_cfg.max_epochs + 1
    for schedule in (each for each in cfg.param_scheduler if each.get("by_epoch", True)):
        schedule.update({key: times(schedule[key]) for key in IN_EPOCHS if key in schedule})


def trials(run: "Run") -> list["Run"]:
    """The runs from which a run's rate and length are chosen, the short ones first; none of another protocol."""
    cfg = run.layers.cfg
    if SWEEP not in cfg or is_trial(cfg):
        return []
    grid = product(cfg.sweep.lengths, cfg.sweep.rates)
    return [replace(run, sets=run.sets | {"sweep.length": length, "sweep.rate": rate}) for length, rate in grid]


def tried(run: "Run") -> list[Trial]:
    """What came of all trials. Raises FileNotFoundError with the command that makes those that are missing, or stale.

    Raises AllDivergedError.
    """
    from .state import state  # which imports this module

    found = trials(run)
    if missing := [trial for trial in found if state(trial, trial.config())[0] != "done"]:
        raise FileNotFoundError(
            f"{len(missing)} of {len(found)} trials of {run.recipe_or_protocol} are missing, or of another backbone or "
            f"other data; tools/pipeline.sh {run.recipe} --tier {run.tier} --seed {run.seed} --protocol "
            f"{run.recipe_or_protocol} runs them"
        )
    trials_of = [trial_of(read(trial.folder / FILE_NAME)) for trial in found]
    if found and all(each.score is None for each in trials_of):
        lower = f'--set "{run.stage}.{SWEEP}.rates=[...]"'
        raise AllDivergedError(f"{run.title}: all {len(found)} trials diverged; lower their rates: {lower}")
    return trials_of


def trial_of(result: Result) -> Trial:
    """A trial's result in short."""
    factors, chosen = result.config[SWEEP], result.chosen
    score = None if DIVERGED in chosen else result.metrics[chosen["by"]]
    return Trial(factors["rate"], factors["length"], score, hours(result))


def told(run: "Run") -> dict[str, Any]:
    """A sweep's choice, with what it cost and on what it rests, for the result; {} of another protocol."""
    if not (found := tried(run)):
        return {}
    metric, share = held_out.headline(run.task), run.layers.cfg.sweep.share
    rate, length, score, _ = best(found, metric.better)
    cost = sum(trial.device_hours for trial in found)
    about = dict(by=metric.name, share=share, device_hours=cost, trials=[trial._asdict() for trial in found])
    return {SWEEP: dict(rate=rate, length=length, score=score) | about}


def hours(result: Result) -> float:
    """Measured time times devices, of a run and of the sweep before it."""
    return result.seconds * result.devices / 3600 + result.chosen.get(SWEEP, {}).get("device_hours", 0.0)


def best(found: Iterable[Trial], better: str) -> Trial:
    """The first of the best ones; one that diverged is none."""
    scored = {trial: trial.score for trial in found if trial.score is not None}
    return (max if better == "higher" else min)(scored, key=scored.__getitem__)
