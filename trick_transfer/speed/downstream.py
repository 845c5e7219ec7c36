"""Fine-tuning as we run it against mmdet's and mmseg's own training of the same model, on `mini`'s images.

Theirs is what tools/export.py --to mm writes: their data sets, steps, network and hooks in mmengine's Runner, in fp32,
as mmengine has no low precision on the CPU. None writes checkpoints, and all have the process's setting of glibc that
keeps freed memory, which is part of ours.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from backbones.naming import to_mm
from classification.classifier import ImageClassifier, export
from trick_transfer.engine.layers import Layers
from trick_transfer.engine.precision import low_precision
from trick_transfer.engine.processes import cores
from trick_transfer.engine.stage import Stage
from trick_transfer.runs.data import check_data
from trick_transfer.runs.resolve import limit, resolve
from trick_transfer.runs.run import Run
from trick_transfer.runs.training import make_runner
from trick_transfer.stages import STAGES

from .figures import Figures, Ratio, rounds

RECIPE, STEPS = "resnet50d_best", 4
THEIRS, OURS = "mmdet's or mmseg's runner, fp32", "ours, {}"
REMARKS = ("On `mini` ours trains in low precision, which theirs cannot on a CPU; the paper's tier takes fp32.",)
STRIDE = 32  # mmseg dilates ResNet-18 in another way than we do


def network(folder: Path) -> Path:
    """A card of `mini`'s network, not trained, in the work folder; returns its weights by mm's names."""
    run = Run("classification", RECIPE, work_dir=folder)
    cfg = run.layers.cfg
    model = ImageClassifier(backbone=cfg.model.backbone, num_classes=cfg.model.num_classes)
    export(model, cfg, run.card.parent, {}, name=run.name, tier=run.tier, seed=run.seed)
    weights = folder.absolute() / "backbone.pth"
    torch.save(to_mm(model.backbone), weights)
    return weights


def connected(run: Run) -> Layers:
    """A run's Config, of a model that the library has, too."""
    layers = run.connected()
    if run.stage == "segmentation":
        layers.cfg.model.backbone.output_stride = STRIDE
    return layers


def plain(run: Run, weights: Path) -> Config:
    """The library's own for the same model."""
    theirs = run.task.plain(connected(run).cfg, weights)
    theirs.update(work_dir=str(run.work_dir / "theirs"), log_level="ERROR", default_hooks={})
    return theirs


def epoch(cfg: Config, make: Callable[[Config], Runner]) -> Callable[[], object]:
    """One of so many steps, with all hooks but the checkpoint's, as often as it is called."""
    limit(cfg.train_dataloader, STEPS * cfg.train_dataloader.batch_size)
    cfg.default_hooks.checkpoint = None
    cfg.train_cfg.update(max_epochs=1, val_begin=2)
    runner = make(cfg)
    runner.train()  # builds what is left to build, and warms up
    return runner.train_loop.run_epoch


def seconds_of(stage: Stage, folder: Path, weights: Path, repeats: int) -> tuple[dict[str, float], int]:
    """Seconds of the library's epoch, of ours in fp32 and in low precision, and the number of images in each."""
    run = Run(stage.name, RECIPE, protocol=stage.plain_protocol, work_dir=folder)
    check_data(run)
    candidates = {
        THEIRS: epoch(plain(run, weights), Runner.from_cfg),
        OURS.format("fp32"): epoch(
            resolve(replace(run, precision="fp32"), connected(run), run.batch()).cfg, make_runner
        ),
        OURS.format(low_precision()): epoch(resolve(run, connected(run), run.batch()).cfg, make_runner),
    }
    return rounds(candidates, repeats), STEPS * run.batch().total


def bench_downstream(repeats: int) -> Figures:
    """Images per second in both stages."""
    rates: dict[str, float] = {}
    ratios: list[Ratio] = []
    with TemporaryDirectory() as name:
        weights = network(Path(name))
        for stage in STAGES.values():
            if stage.plain_protocol:
                seconds, images = seconds_of(stage, Path(name), weights, repeats)
                rates |= {f"{stage.name}: {each}": images / spent for each, spent in seconds.items()}
                ratios += [
                    Ratio(f"{stage.name}: {each} / {THEIRS}", seconds[THEIRS] / seconds[each], "at least 1.2")
                    for each in seconds
                    if each != THEIRS
                ]
    return Figures(f"fine-tuning on mini, {cores()} core{'s' * (cores() > 1)}", "images/s", rates, ratios, REMARKS)
