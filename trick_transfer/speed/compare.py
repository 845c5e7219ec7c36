"""Our input pipeline, training step and memory against torchvision's and a plain timm loop, in one run."""

import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import timm
import torch
from PIL import Image
from torch.nn import functional as F
from torchvision import transforms

from classification.augment import PixelScaler
from classification.classifier import ImageClassifier, export
from classification.config import load
from classification.data import ImageFolder
from trick_transfer.engine.memory import keep_freed_memory
from trick_transfer.engine.precision import low_precision

from .training import classifier, in_own_process, peak_mb, write_photos

MEAN, STD = (123.68, 116.779, 103.939), (58.393, 57.12, 57.375)
PHOTOS = 128
TURNS = 2


def rounds(candidates: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each candidate, run in turns so that a drift of the machine favours none."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for i in range(repeats + 1):
        for name, run in candidates.items():
            begun = time.perf_counter()
            run()
            if i:  # the first is a warm-up
                seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(each) for name, each in seconds.items()}


def bench_input(px: int, repeats: int) -> None:
    """Full training augmentation, decode to normalised tensor, on one core."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    batches = [range(start, start + 32) for start in range(0, PHOTOS, 32)]
    options = load("resnet50_baseline").train_dataloader.dataset.dataset.to_dict()
    options.pop("type")
    options["crop"]["size_px"] = px
    scaler = PixelScaler(MEAN, STD, 0.1)
    reference = transforms.Compose([
        transforms.RandomResizedCrop(px),
        transforms.RandomHorizontalFlip(),
        transforms.ColorJitter(0.4, 0.4, 0.4),
        transforms.ToTensor(),
        transforms.Normalize(np.array(MEAN) / 255, np.array(STD) / 255),
    ])  # fmt: skip
    with TemporaryDirectory() as folder:
        write_photos(Path(folder), PHOTOS)
        ours = ImageFolder(root=folder, num_classes=1, **options)

        def run_ours() -> None:
            for batch in batches:
                images = np.stack([ours[i]["inputs"] for i in batch])
                scaler.normalise(torch.from_numpy(images), training=True)

        def run_reference() -> None:
            for batch in batches:
                torch.stack([reference(Image.open(ours.files[i]).convert("RGB")) for i in batch])

        seconds = rounds({"ours": run_ours, "torchvision": run_reference}, repeats)
    for name, each in seconds.items():
        print(f"input, {px} px, one core: {name:12} {PHOTOS / each:7.0f} images/s")
    print(f"images/s, ours / torchvision's classic transforms: {seconds['torchvision'] / seconds['ours']:.2f}")


def images_and_labels(px: int, batch: int) -> dict[str, torch.Tensor]:
    """A batch of random uint8 images, as our loaders give it."""
    images = torch.randint(0, 256, (batch, px, px, 3), dtype=torch.uint8)
    return {"inputs": images, "labels": torch.randint(0, 1000, (batch,))}


def our_step(px: int, batch: int, tricks: tuple[str, ...]) -> Callable[[], object]:
    """One training step of ResNet-50-D through our classifier and optimiser wrapper, from uint8 images."""
    sets = {f"tricks.{trick}": None for trick in ("label_smoothing", "mixup", "distillation") if trick not in tricks}
    model, optimiser = classifier(load("resnet50d_best", sets))
    return partial(model.train_step, images_and_labels(px, batch), optimiser)


def timm_step(px: int, batch: int) -> Callable[[], object]:
    """The same step as usually written with timm, from normalised float images."""
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


def bench_step(px: int, repeats: int, batch: int) -> None:
    """Images per second of both loops, and the time that label smoothing and mixup add."""
    options = dict(px=px, batch=batch, repeats=repeats)
    turns = [{name: in_own_process("step", **options, loop=name)["seconds"] for name in LOOPS} for _ in range(TURNS)]
    seconds = {name: statistics.mean(turn[name] for turn in turns) for name in LOOPS}
    for name, each in seconds.items():
        print(f"step, {px} px, batch {batch}, {low_precision()}: {name:26} {batch / each:6.1f} images/s")
    print(f"time of a step, ours / plain timm loop: {seconds['ours'] / seconds['timm']:.3f}")
    print(f"the same, where both keep freed memory: {seconds['ours'] / seconds['timm, freed memory kept']:.3f}")
    added = seconds["ours + smoothing + mixup"] / seconds["ours"] - 1
    print(f"smoothing + mixup add to a step of ours: {100 * added:.1f} %")


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
