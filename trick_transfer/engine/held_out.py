"""A share of the training images is not trained on, but scored after each epoch: it chooses the epoch that counts.

Which images these are follows from their names alone, so they are the same ones for every backbone and seed. What is
scored at the end is not among them.
"""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks import EarlyStoppingHook, Hook

from trick_transfer.registry import DATASETS, HOOKS

from .checkpoint import unwrapped
from .files import write_tensors
from .history import curves
from .names import in_its_folder
from .names import share as hashed
from .seeding import Around
from .stage import Metric, Stage
from .values import check_name

HELD_OUT = "held_out"  # the Config's key, and in the curves what stands before a metric
BEST = "best-{}.safetensors"  # the weights of the best epoch so far, in the run's folder
EPOCHS = ("best", "last")  # whose weights may be scored at the end
LEAST_GAIN = 1e-9  # percent points


def add_key(cfg: Config, stage: Stage) -> None:
    """Give a Config the key, with its defaults; without it, all training images are trained on.

    `share` of the images, `by` which metric epochs are compared, `patience`: epochs without a better one after which
    the training ends (0: it never does), `score`: whose weights are scored at the end, the best epoch's or the last's,
    and on what: with `test` on the data that are always scored, without it on the held-out images.
    """
    cfg[HELD_OUT] = dict(share=0.1, by=headline(stage).name, patience=0, score=EPOCHS[0], test=True)


def headline(stage: Stage) -> Metric:
    """The metric by which epochs are compared, if none is named: of several headlines the last, mIoU."""
    return [metric for metric in stage.metrics if metric.headline][-1]


def check(cfg: Config, stage: Stage) -> None:
    """Raise ValueError for a choice that does not exist."""
    if not any(metric.required for metric in stage.metrics):
        named = "name the stages that do: --set detection.held_out.share=0.1"
        raise ValueError(f"{stage.name} trains nothing, so it holds out nothing; {named}, in place of --held-out")
    check_name("held_out.by", cfg.held_out.by, [metric.name for metric in stage.metrics if metric.required])
    check_name("held_out.score", cfg.held_out.score, EPOCHS)


def number(images: int, share: float) -> int:
    """How many of some images are held out: at least one."""
    return max(1, round(images * share))


def trained_on(cfg: Config, images: int) -> int:
    """How many of the training images a Config trains on."""
    return images - number(images, cfg.held_out.share) if HELD_OUT in cfg else images


def split(cfg: Config, stage: Stage) -> None:
    """Turn the key into what a Runner reads: it validates on held-out images, and tests on what is always scored."""
    stated, train, scored = cfg.held_out, cfg.train_dataloader, cfg.val_dataloader
    part = dict(type="trick_transfer.Part", share=stated.share)
    held_out = dict(scored, dataset=dict(part, held_out=True, dataset=stage.as_scored(cfg)))
    train.dataset.dataset = dict(part, held_out=False, dataset=train.dataset.dataset)
    cfg.test_dataloader = deepcopy(scored if stated.test else held_out)
    cfg.val_dataloader = deepcopy(held_out)
    cfg.test_evaluator, cfg.test_cfg = deepcopy(cfg.val_evaluator), dict(type="TestLoop")
    cfg.train_cfg.update(val_begin=1, val_interval=1)


def hooks(cfg: Config, stage: Stage) -> list[dict]:
    """What keeps the best epoch, and ends a training that is not getting better."""
    stated, metric = cfg.held_out, metric_of(cfg, stage)
    found: list[dict] = [dict(type="trick_transfer.KeepBest", by=curve(metric), better=metric.better)]
    if stated.patience:
        rule = {"higher": "greater", "lower": "less"}[metric.better]
        stopping = dict(monitor=curve(metric), rule=rule, min_delta=LEAST_GAIN, patience=stated.patience)
        found.append(dict(type="trick_transfer.EarlyStopping", **stopping))
    return found


def metric_of(cfg: Config, stage: Stage) -> Metric:
    """By which a Config compares epochs."""
    return next(metric for metric in stage.metrics if metric.name == cfg.held_out.by)


def curve(metric: Metric) -> str:
    """The name of a metric's curve on held-out images."""
    return f"{HELD_OUT}/{metric.name}"


def best(points: Sequence[Sequence[float]], better: str) -> Sequence[float]:
    """The best point of a curve, [epoch, value]; of equal ones the first."""
    return (max if better == "higher" else min)(points, key=lambda point: point[1])


def chosen(cfg: Config, stage: Stage, runner: Any) -> dict[str, Any]:
    """Which epoch's weights are to be scored, and why: for the result."""
    metric = metric_of(cfg, stage)
    points = curves(runner)[curve(metric)]
    epoch, score = best(points, metric.better) if cfg.held_out.score == "best" else points[-1]
    images = len(runner.val_dataloader.dataset)
    how = dict(of_epochs=runner.epoch, rule=cfg.held_out.score, by=metric.name, share=cfg.held_out.share, images=images)
    return dict(epoch=epoch, score=score) | how


@DATASETS.register_module()
class Part(Around):
    """The images of a data set that are held out, a `share`, or all others.

    Held out are those whose names, with their folder's, have the smallest hashes, on any machine and for any seed.
    """

    def __init__(self, dataset: dict, share: float, held_out: bool) -> None:
        super().__init__(dataset)
        names = [self.name(place) for place in range(len(self.dataset))]
        order = sorted(range(len(names)), key=lambda place: (hashed(names[place]), names[place]))
        some = number(len(names), share)
        self.places = sorted(order[:some] if held_out else order[some:])

    def name(self, place: int) -> str:
        """An image's name, wherever its data lie."""
        has_info = hasattr(self.dataset, "get_data_info")  # OpenMMLab's
        path = self.dataset.get_data_info(place)["img_path"] if has_info else self.dataset.files[place]
        return in_its_folder(path)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, place: int) -> Any:
        return self.dataset[self.places[place]]


@HOOKS.register_module()
class KeepBest(Hook):
    """After each scoring of held-out images: the weights, if they are the best so far."""

    priority = "LOW"  # after the curves, which are older and of the same priority, and before the checkpoint

    def __init__(self, by: str, better: str) -> None:
        self.by, self.better = by, better

    def before_train(self, runner: Any) -> None:
        for metric in runner.val_evaluator.metrics:
            metric.prefix = HELD_OUT

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        if not is_main_process():
            return
        points, folder = curves(runner)[self.by], Path(runner.work_dir)
        now, before = (best(some, self.better)[0] for some in (points, points[:-1] or points))
        if now == runner.epoch:
            write_tensors(folder / BEST.format(now), unwrapped(runner).state_dict())
        kept = {BEST.format(now), BEST.format(before)}  # a kill before the checkpoint takes us to the epoch before
        for path in folder.glob(BEST.format("*")):
            if path.name not in kept:
                path.unlink()


@HOOKS.register_module()
class EarlyStopping(EarlyStoppingHook):
    """mmengine's, which forgets in a resumed training what it had counted: that is counted again, from the curve."""

    def before_train(self, runner: Any) -> None:
        for _, value in curves(runner).get(self.monitor, ()):
            runner.train_loop.stop_training |= self._check_stop_condition(value)[0]
