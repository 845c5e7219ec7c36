"""Our training step and its memory against a plain timm loop, and what a teacher adds, in one run."""

import json
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import timm
import torch
from torch.nn import functional as F

from classification.classifier import ImageClassifier, export
from classification.config import load
from trick_transfer.engine.memory import keep_freed_memory
from trick_transfer.engine.precision import low_precision
from trick_transfer.engine.processes import cores

from .figures import Figures, Ratio, rounds
from .training import classifier, in_own_process, our_model, peak_mb

TURNS = 2


def images_and_labels(px: int, batch: int) -> dict[str, torch.Tensor]:
    """A batch of random uint8 images, as our loaders give it."""
    images = torch.randint(0, 256, (batch, px, px, 3), dtype=torch.uint8)
    return {"inputs": images, "labels": torch.randint(0, 1000, (batch,))}


def our_step(px: int, batch: int, tricks: tuple[str, ...]) -> Callable[[], object]:
    """A training step of ResNet-50-D through our classifier and optimiser wrapper, from uint8 images in memory."""
    model, optimiser = our_model(tricks)
    return partial(model.train_step, images_and_labels(px, batch), optimiser)


def timm_step(px: int, batch: int) -> Callable[[], object]:
    """The same step as usually written with timm, from normalised float images in memory."""
    model = timm.create_model("resnet50d", num_classes=1000).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=1e-4)
    images = torch.randn(batch, 3, px, px).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 1000, (batch,))

    def step() -> None:
        with torch.autocast("cpu", low_precision(), enabled=low_precision() != torch.float32):
            loss = F.cross_entropy(model(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


LOOPS: dict[str, Callable[[int, int], Callable[[], object]]] = {  # (px, batch) -> a step
    "timm": timm_step,
    "timm, freed memory kept": timm_step,
    "ours": partial(our_step, tricks=()),
    "ours + smoothing + mixup": partial(our_step, tricks=("label_smoothing", "mixup")),
}


def run_loop(px: int, batch: int, repeats: int, loop: str) -> None:
    """Print the median seconds of a loop's steps and this process's peak memory; only "timm" has glibc's defaults."""
    if loop != "timm":
        keep_freed_memory()
    seconds = rounds({loop: LOOPS[loop](px, batch)}, repeats)[loop]
    print(json.dumps(dict(seconds=seconds, peak_mb=peak_mb())))


def bench_step(px: int, repeats: int, batch: int) -> Figures:
    """Images per second of both loops, and the time that label smoothing and mixup add."""
    options = dict(px=px, batch=batch, repeats=repeats)
    turns = [{name: in_own_process("step", **options, loop=name)["seconds"] for name in LOOPS} for _ in range(TURNS)]
    seconds = {name: statistics.mean(turn[name] for turn in turns) for name in LOOPS}
    return Figures(
        f"training step of ResNet-50-D, {px} px, batch {batch}, {low_precision()}, {cores()} cores",
        "images/s",
        {name: batch / each for name, each in seconds.items()},
        [
            Ratio("ours / plain timm loop", seconds["timm"] / seconds["ours"], "at least 1.0"),
            Ratio(
                "the same, where both keep freed memory",
                seconds["timm, freed memory kept"] / seconds["ours"],
                "at least 1.0",
            ),
            Ratio("with smoothing and mixup / without", seconds["ours"] / seconds["ours + smoothing + mixup"]),
        ],
    )


def bench_memory(px: int, batch: int) -> None:
    """Peak memory of three steps of each loop."""
    options = dict(px=px, batch=batch, repeats=2)
    peaks = {name: in_own_process("step", **options, loop=name)["peak_mb"] for name in ("timm", "ours")}
    for name, peak in peaks.items():
        print(f"memory, {px} px, batch {batch}: {name:5} {peak:7.0f} MB")
    print(f"peak memory, ours / plain timm loop: {peaks['ours'] / peaks['timm']:.3f}")


def bench_distillation(px: int, repeats: int, batch: int) -> None:
    """The time that a ResNet-152-D teacher adds to a step of ResNet-50-D, relative to its forward pass alone."""
    teacher_cfg, cfg = load("resnet152d_mixup"), load("resnet50d_best")
    teacher = ImageClassifier(teacher_cfg.model.backbone, teacher_cfg.model.num_classes)
    with TemporaryDirectory() as folder:
        export(teacher, teacher_cfg, Path(folder), {}, name="teacher", tier="smoke", seed=0)
        cfg.model.teacher.card = f"{folder}/card.json"
        model, optimiser = classifier(cfg)
    alone, its_optimiser = classifier(load("resnet50d_best", {"tricks.distillation": None}))
    data = images_and_labels(px, batch)
    scaled = model.data_preprocessor(data)["inputs"]

    def forward() -> None:
        with optimiser.optim_context(model), torch.inference_mode():
            model.teacher[0].model(scaled)

    steps: dict[str, Callable[[], object]] = {
        "alone": partial(alone.train_step, data, its_optimiser),
        "with a teacher": partial(model.train_step, data, optimiser),
        "forward pass": forward,
    }
    seconds = rounds(steps, repeats)
    for name, each in seconds.items():
        print(f"distillation, {px} px, batch {batch}, {low_precision()}: {name:14} {each:6.3f} s")
    share = (seconds["with a teacher"] - seconds["alone"]) / seconds["forward pass"]
    print(f"time that the teacher adds / its forward pass alone: {share:.3f}")
