"""Our input pipeline, training step and memory against torchvision's and a plain timm loop, in one run."""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import timm
import torch
from PIL import Image
from torch.nn import functional as F
from torchvision import transforms

import classification.config
from classification.augment import PixelScaler
from classification.data import ImageFolder
from trick_transfer.engine.memory import keep_freed_memory
from trick_transfer.engine.precision import low_precision
from trick_transfer.engine.receipt import ROOT

from .photos import write_photos
from .training import classifier, teacher_steps

BENCH = ROOT / "tools" / "bench.py"
MEAN, STD = (123.68, 116.779, 103.939), (58.393, 57.12, 57.375)


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


def bench_input(px: int, repeats: int, count: int = 128) -> None:
    """Full training augmentation, decode to normalised tensor, on one core."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        write_photos(Path(name), count)
        options = classification.config.load("resnet50_baseline").train_dataloader.dataset.dataset.to_dict()
        options.pop("type")
        options["crop"]["size_px"] = px
        ours = ImageFolder(root=name, num_classes=1, **options)
        scaler = PixelScaler(MEAN, STD, 0.1)
        reference = transforms.Compose([
            transforms.RandomResizedCrop(px),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(0.4, 0.4, 0.4),
            transforms.ToTensor(),
            transforms.Normalize(np.array(MEAN) / 255, np.array(STD) / 255),
        ])  # fmt: skip

        batches = [range(start, start + 32) for start in range(0, count, 32)]

        def run_ours() -> None:
            for batch in batches:
                images = np.stack([ours[i]["inputs"] for i in batch])
                scaler.normalise(torch.from_numpy(images), training=True)

        def run_reference() -> None:
            for batch in batches:
                torch.stack([reference(Image.open(ours.files[i]).convert("RGB")) for i in batch])

        seconds = rounds({"ours": run_ours, "torchvision": run_reference}, repeats)
    for name, each in seconds.items():
        print(f"input, {px} px, one core: {name:12} {count / each:7.0f} images/s")
    print(f"images/s, ours / torchvision's classic transforms: {seconds['torchvision'] / seconds['ours']:.2f}")


def our_step(px: int, batch: int, tricks: tuple[str, ...]) -> Callable[[], object]:
    """One training step of ResNet-50-D through our classifier and optimiser wrapper, from uint8 images."""
    sets = {f"tricks.{trick}": None for trick in ("label_smoothing", "mixup", "distillation") if trick not in tricks}
    model, optimiser = classifier(classification.config.load("resnet50d_best", sets))
    images = torch.randint(0, 256, (batch, px, px, 3), dtype=torch.uint8)
    data = {"inputs": images, "labels": torch.randint(0, 1000, (batch,))}
    return lambda: model.train_step(data, optimiser)


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
TURNS = 2


def run_loop(px: int, batch: int, repeats: int, loop: str) -> None:
    """Print the median seconds of a loop's steps and this process's peak memory; only "timm" has glibc's defaults."""
    if loop != "timm":
        keep_freed_memory()
    seconds = rounds({loop: LOOPS[loop](px, batch)}, repeats)[loop]
    print(json.dumps(dict(seconds=seconds, peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))


def in_own_process(px: int, batch: int, repeats: int, loop: str) -> dict[str, float]:
    """What `run_loop` prints, in a process of its own so that loops do not share memory."""
    options = {"px": px, "batch": batch, "repeats": repeats, "loop": loop}
    words = [sys.executable, str(BENCH), "step", *(f"--{name}={value}" for name, value in options.items())]
    return json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def bench_step(px: int, repeats: int, batch: int) -> None:
    """Images per second of both loops, and the time that label smoothing and mixup add."""
    turns = [{name: in_own_process(px, batch, repeats, name)["seconds"] for name in LOOPS} for _ in range(TURNS)]
    seconds = {name: statistics.mean(turn[name] for turn in turns) for name in LOOPS}
    for name, each in seconds.items():
        print(f"step, {px} px, batch {batch}, {low_precision()}: {name:26} {batch / each:6.1f} images/s")
    print(f"time of a step, ours / plain timm loop: {seconds['ours'] / seconds['timm']:.3f}")
    print(f"the same, where both keep freed memory: {seconds['ours'] / seconds['timm, freed memory kept']:.3f}")
    added = seconds["ours + smoothing + mixup"] / seconds["ours"] - 1
    print(f"smoothing + mixup add to a step of ours: {100 * added:.1f} %")


def bench_memory(px: int, batch: int) -> None:
    """Peak memory of three steps of each loop."""
    peaks = {name: in_own_process(px, batch, 2, name)["peak_mb"] for name in ("timm", "ours")}
    for name, peak in peaks.items():
        print(f"memory, {px} px, batch {batch}: {name:5} {peak:7.0f} MB")
    print(f"peak memory, ours / plain timm loop: {peaks['ours'] / peaks['timm']:.3f}")


def bench_distillation(px: int, repeats: int, batch: int) -> None:
    """The time that a ResNet-152-D teacher adds to a step of ResNet-50-D, relative to its forward pass alone."""
    with tempfile.TemporaryDirectory() as name:
        seconds = rounds(teacher_steps(px, batch, Path(name)), repeats)
    for name, each in seconds.items():
        print(f"distillation, {px} px, batch {batch}, {low_precision()}: {name:14} {each:6.3f} s")
    share = (seconds["with a teacher"] - seconds["alone"]) / seconds["forward pass"]
    print(f"time that the teacher adds / its forward pass alone: {share:.3f}")
