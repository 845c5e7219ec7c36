"""Any stage of any recipe and tier, proved without its data or its machine: the plan, and two steps on made-up data.

All is built as a run builds it, from the real Config; only the data is made up (in its own layout, read by the real
loaders), the weights that would come from an earlier stage are random, and a step has `IMAGES` images.
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

from classification.classifier import ImageClassifier
from classification.exported import export
from trick_transfer.data_sets import made_up
from trick_transfer.data_sets.sources import DATA_SETS, MINI, DataSet
from trick_transfer.data_sets.splits import Voc
from trick_transfer.engine.batch import Batch
from trick_transfer.engine.receipt import device
from trick_transfer.runs.run import DATA, STAGES, Run
from trick_transfer.runs.training import complete, runner_of, unwrapped

IMAGES, STEPS = 2, 2  # a step's images: batch norm wants two
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


def data_set(run: Run, cfg: Config) -> DataSet:
    """The facts of the data that this run reads."""
    folder = DATA[run.stage]
    if run.tier != "paper":
        return MINI[folder]
    return DATA_SETS[cfg.data.name if run.stage == "classification" else folder]


def training_images(facts: DataSet) -> int:
    """VOC trains on both years' trainval, the others on their first split."""
    if isinstance(facts.splits[0], Voc):
        return sum(split.images for split in facts.splits if isinstance(split, Voc) and split.image_set == "trainval")
    return facts.splits[0].images


@contextmanager
def stand_in(run: Run, facts: DataSet) -> Iterator[Run]:
    """The same run in a temporary folder: made-up data, and random weights for whatever it takes from earlier ones."""
    with TemporaryDirectory() as name:
        there = replace(run, work_dir=Path(name, "work"), data_root=Path(name, "data"))
        made_up.write(facts, Path(name, "data"))
        upstream = there.teacher() if run.stage == "classification" else there.upstream()
        if upstream:
            cfg = upstream.classification()
            model = ImageClassifier(backbone=cfg.model.backbone, num_classes=cfg.model.num_classes)
            export(model, cfg, upstream.card.parent, {}, name=upstream.name, tier=run.tier, seed=upstream.seed)
        yield there


def steps_an_epoch(cfg: Config, images: int, batch: Batch) -> int:
    """As the loader will count them: each process gets an equal share, and a rest may be dropped."""
    loader = cfg.train_dataloader
    share = ceil(images / batch.devices)
    full = share // batch.per_device if loader.get("drop_last") else ceil(share / batch.per_device)
    return min(full, loader.get("num_batch_per_epoch") or full)


def rates(cfg: Config, epoch_steps: int) -> list[float]:
    """The learning rate of every step, read off an optimiser that the run's own schedulers move."""
    lr, total = cfg.optim_wrapper.optimizer.lr, epoch_steps * cfg.train_cfg.max_epochs
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr)
    schedulers = [scheduler(dict(each), optimiser, epoch_steps) for each in cfg.param_scheduler]
    optimiser.step()  # else they warn that none was taken
    course = []
    for step in range(1, total + 1):
        course.append(optimiser.param_groups[0]["lr"])
        for each in schedulers:
            if not each.by_epoch or step % epoch_steps == 0:
                each.step()
    return course


def scheduler(cfg: dict, optimiser: torch.optim.Optimizer, epoch_steps: int) -> Any:
    """One of mmengine's, as its Runner builds it."""
    if not cfg.pop("convert_to_iter_based", False):
        return PARAM_SCHEDULERS.build(cfg | {"optimizer": optimiser})
    kind = PARAM_SCHEDULERS.get(cfg.pop("type"))
    return kind.build_iter_from_epoch(optimizer=optimiser, epoch_length=epoch_steps, **cfg)


def two_steps(cfg: Config) -> tuple[Runner, Watch]:
    """Train for `STEPS` steps of `IMAGES` images, in one process, and keep nothing."""
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.update(batch_size=IMAGES, num_batch_per_epoch=STEPS)
    cfg.train_cfg.update(max_epochs=1, val_begin=2)
    cfg.optim_wrapper.accumulative_counts = 1
    cfg.launcher, cfg.model_wrapper_cfg = "none", None
    cfg.default_hooks.checkpoint, cfg.custom_hooks, cfg.visualizer.vis_backends = None, [], None
    runner = runner_of(cfg)
    watch = Watch(unwrapped(runner))
    runner.register_hook(watch)
    with torch.autograd.graph.saved_tensors_hooks(watch.keep, lambda tensor: tensor):
        runner.train()
    return runner, watch


def dry_run(run: Run, devices: int, accumulation: int) -> str:
    """The plan, a line a fact, after two steps went through. Raises whatever the run itself would."""
    recipe, plus, _ = run.recipe.partition("+")
    if run.stage != STAGES[0] and plus:  # a name does not tell what exactly was set
        raise ValueError(
            f"a dry run of {run.stage} takes a recipe as it is, and {run.recipe} has settings; "
            f"tools/pipeline.py {recipe} --tier {run.tier} --plan --set ... checks these for each stage"
        )
    facts = data_set(run, run.draft())
    with stand_in(run, facts) as there:
        cfg = there.config()
        batch = run.batch(cfg, devices, accumulation)
        title = f"{run.name} {run.stage} ({run.tier}, seed {run.seed})"
        if cfg.get("max_epochs") == 0:
            return f"{title}: random weights, nothing is trained"
        images = cfg.data.num_train if run.stage == "classification" else training_images(facts)
        full = complete(there, cfg, batch)
        epoch_steps = steps_an_epoch(full, images, batch)
        epochs = full.train_cfg.max_epochs
        course = rates(full, epoch_steps)
        runner, watch = two_steps(full)
        return "\n  ".join([
            f"{title}: {batch}",
            f"{epochs} epochs of {images:,} images: {epochs * epoch_steps // accumulation:,} steps",
            "learning rate at the first, the middle and the last step: "
            + ", ".join(f"{course[step]:.3g}" for step in (0, len(course) // 2, -1)),
            decay(runner),
            f"memory: about {memory_gb(runner, watch, batch):.1f} GB a device, without the libraries' own",
            hours(watch, images * epochs, devices),
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


def hours(watch: Watch, images: int, devices: int) -> str:
    """What this machine's speed comes to, scoring and a teacher's own training not counted."""
    total = watch.seconds[-1] / IMAGES * images / 3600
    return f"time: about {total:,.2f} hours on a device as this one ({device()}), {total / devices:,.2f} on {devices}"
