"""Any stage of any recipe and tier, tried without its data or its machine: the plan, two steps, and a scoring.

All is built as a run builds it, from the real Config. Data that the user names are read, others are made up (in their
own layout, of several sizes, for the real loaders); the weights that would come from an earlier stage are random, and a
step has `IMAGES` images. Some images are scored, and drawn for the tracker.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import PARAM_SCHEDULERS
from mmengine.runner import Runner
from torch import Tensor, nn

from classification.classifier import ImageClassifier, export
from trick_transfer.engine.batch import Batch
from trick_transfer.engine.checkpoint import unwrapped
from trick_transfer.engine.held_out import trained_on
from trick_transfer.engine.receipt import device

from .data import data_set, look_at_data
from .resolve import limit, resolve
from .run import Run
from .training import make_runner

IMAGES, STEPS = 2, 2  # a step's images: batch norm needs two
DRAWN = "ShowPredictions"  # the hook that is tried, too
TRAINING_COPIES = 3  # weights, gradients, momentum, all in fp32


class Watch(Hook):
    """The seconds of the last step, and the bytes that the first one's forward pass keeps for its backward pass."""

    def __init__(self, model: nn.Module) -> None:
        self.own = {parameter.data_ptr() for parameter in model.parameters()}
        self.kept: dict[int, int] = {}
        self.seconds: list[float] = []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self.begun = time.monotonic()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.seconds.append(time.monotonic() - self.begun)

    def keep(self, tensor: Tensor) -> Tensor:
        """Called for each tensor that autograd saves."""
        storage = tensor.untyped_storage()
        if not self.seconds and storage.data_ptr() not in self.own:
            self.kept[storage.data_ptr()] = storage.nbytes()
        return tensor


@contextmanager
def stand_in(run: Run) -> Iterator[Run]:
    """The same run in a temporary folder, with made-up data if the user named none, and a card of random weights."""
    facts = data_set(run)
    if facts is None:
        raise ValueError(f"a dry run makes up data of a known layout; {run.root.name} has none")
    own = run.own_root
    if own:
        look_at_data(run)
    with TemporaryDirectory() as name:
        root = own or Path(name, "data")
        there = replace(run, work_dir=Path(name, "work"), data_root=None if run.source else root, tracker="tensorboard")
        for split in () if own else facts.splits:
            split.make_up(root)
        if upstream := there.upstream():
            cfg = upstream.layers.cfg
            model = ImageClassifier(backbone=cfg.model.backbone, num_classes=cfg.model.num_classes)
            export(model, cfg, upstream.card.parent, {}, name=upstream.name, tier=run.tier, seed=upstream.seed)
        yield there


def steps_an_epoch(cfg: Config, images: int, batch: Batch) -> int:
    """As the loader will count them: each process gets an equal share, and a rest may be dropped."""
    loader = cfg.train_dataloader
    images = min(loader.sampler.get("images") or images, loader.dataset.get("images", images))
    share = ceil(images / batch.devices)
    return share // batch.per_device if loader.get("drop_last") else ceil(share / batch.per_device)


def rates(cfg: Config, epoch_steps: int) -> list[float]:
    """The learning rate of every update, read off an optimiser that the run's own schedulers move."""
    epoch_steps = max(1, round(epoch_steps / cfg.optim_wrapper.accumulative_counts))
    lr, total = cfg.optim_wrapper.optimizer.lr, epoch_steps * cfg.train_cfg.max_epochs
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr)
    known = dict(optimizer=optimiser, epoch_length=epoch_steps)
    schedulers = [PARAM_SCHEDULERS.build(each, default_args=known) for each in cfg.param_scheduler]
    optimiser.step()  # else they warn that none was taken
    course = []
    for step in range(1, total + 1):
        course.append(optimiser.param_groups[0]["lr"])
        for each in schedulers:
            if not each.by_epoch or step % epoch_steps == 0:
                each.step()
    return course


def two_steps(cfg: Config) -> tuple[Runner, Watch]:
    """Train for `STEPS` steps of `IMAGES` images, draw and score as many, in one process, and keep nothing."""
    cfg.train_dataloader.batch_size = IMAGES
    cfg.val_dataloader.batch_size = min(IMAGES, cfg.val_dataloader.batch_size)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        limit(loader, IMAGES * STEPS)
    cfg.train_cfg.update(max_epochs=1, val_begin=2)
    cfg.optim_wrapper.accumulative_counts = 1
    cfg.launcher, cfg.model_wrapper_cfg = "none", None
    cfg.default_hooks.checkpoint = None
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook["type"].endswith(DRAWN)]
    runner = make_runner(cfg)
    watch = Watch(unwrapped(runner))
    runner.register_hook(watch)
    with torch.autograd.graph.saved_tensors_hooks(watch.keep, lambda tensor: tensor):
        runner.train()
    runner.val()
    runner.visualizer.close()
    return runner, watch


def dry_run(run: Run, devices: int, accumulation: int) -> str:
    """The plan, one line per fact, after two training steps. Raises what the run itself would raise."""
    recipe, plus, _ = run.recipe.partition("+")
    if plus and not run.task.trains_backbone:  # a name does not say what exactly was set
        raise ValueError(
            f"a dry run of {run.stage} takes a recipe as it is, and {run.recipe} has settings; "
            f"tools/pipeline.py {recipe} --tier {run.tier} --plan --set ... checks these for each stage"
        )
    with stand_in(run) as there:
        layers = there.connected()
        batch = run.batch(devices, accumulation)
        full = resolve(there, layers, batch).cfg
        epochs = full.train_cfg.max_epochs
        if not epochs:
            return f"{run.title}: nothing is trained"
        facts = data_set(run)
        assert facts is not None  # stand_in refuses it
        images = run.task.training_images(layers.cfg) or facts.training_images(run.own_root)
        images = trained_on(layers.cfg, images)
        epoch_steps = steps_an_epoch(full, images, batch)
        course = rates(full, epoch_steps)
        runner, watch = two_steps(full)
        hours = watch.seconds[-1] / IMAGES * images * epochs / 3600  # without scoring and a teacher's own training
        return "\n  ".join([
            f"{run.title}: {batch}",
            f"{epochs} epochs of {images:,} images: {epochs * epoch_steps // accumulation:,} steps",
            "learning rate at the first, the middle and the last step: "
            + ", ".join(f"{course[step]:.3g}" for step in (0, len(course) // 2, -1)),
            decay(runner),
            f"memory: about {memory_gb(runner, watch, batch):.1f} GB a device, without the libraries' own",
            f"time: about {hours:,.2f} hours on a device as this one ({device()}), {hours / devices:,.2f} on {devices}",
        ])  # fmt: skip


def decay(runner: Runner) -> str:
    """How many parameters are trained, with and without weight decay."""
    counts = {True: 0, False: 0}
    for group in runner.optim_wrapper.optimizer.param_groups:
        counts[group["weight_decay"] > 0] += sum(each.numel() for each in group["params"] if each.requires_grad)
    return f"parameters: {counts[True] / 1e6:.2f} M with weight decay, {counts[False] / 1e6:.3f} M without"


def memory_gb(runner: Runner, watch: Watch, batch: Batch) -> float:
    """Weights, gradients, momentum, a frozen teacher's weights, and what backward keeps of each image."""
    model = unwrapped(runner)
    trained = sum(each.numel() for each in model.parameters() if each.requires_grad)
    models = [model, *(teacher.model for teacher in getattr(model, "teacher", ()))]
    weights = sum(each.numel() for part in models for each in part.parameters())
    images = sum(watch.kept.values()) / IMAGES * batch.per_device
    return (4 * (weights + (TRAINING_COPIES - 1) * trained) + images) / 1e9
