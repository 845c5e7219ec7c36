"""A training step of ResNet-50-D on a GPU: ours, and as timm's and torchvision's own training scripts take it.

A step begins with a batch where the loader leaves it, in pinned memory of the host (uint8 for ours and timm's, floats
for torchvision's), and ends with new weights. All are in channels_last, with a fused SGD and the same low precision,
also where a script has no flag for that. One candidate at a time is in memory; each has its turn twice, those that take
minutes to compile once.
"""

import gc
import subprocess
from collections.abc import Callable
from functools import partial
from itertools import pairwise, repeat
from shutil import which
from statistics import mean, median
from typing import Any, NamedTuple

import timm
import torch
from timm.data.loader import PrefetchLoader
from timm.optim import create_optimizer_v2
from timm.utils import NativeScaler, accuracy
from torch import Tensor, nn

from backbones.compiling import compiled_passes, put_in
from trick_transfer.engine.precision import PRECISIONS
from trick_transfer.engine.receipt import build

from .figures import Figures, Ratio
from .training import our_model, peak_mb

WARM_UP, TURNS, CLASSES = 10, 2, 1000
COMPILED = "compiled"
Step = Callable[[], object]


class Setup(NamedTuple):
    """What all candidates share."""

    px: int
    batch: int
    precision: str = "fp16"
    device: str = "cuda"

    @property
    def lower(self) -> torch.autocast:
        """The context of a forward pass."""
        return torch.autocast(self.device, PRECISIONS[self.precision], enabled=self.precision != "fp32")

    def batch_of(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images with labels, as a loader hands them over."""
        labels = torch.randint(CLASSES, (self.batch,))
        return (images.pin_memory(), labels.pin_memory()) if self.device == "cuda" else (images, labels)

    def network(self) -> nn.Module:
        """timm's ResNet-50-D, which all tests of ours compare with."""
        model = timm.create_model("resnet50d", num_classes=CLASSES).to(self.device)
        return model.to(memory_format=torch.channels_last).train()


def our_update(setup: Setup, compiled: bool = False) -> Callable[[dict], object]:
    """As tools/train.py takes it, without the tricks of the loss, of a batch on the host."""
    model, optimiser = our_model(precision=setup.precision)
    if compiled:
        put_in(compiled_passes(model))
    return partial(model.train_step, optim_wrapper=optimiser)


def ours(setup: Setup, compiled: bool = False) -> Step:
    """The same of one batch again and again."""
    images, labels = setup.batch_of(torch.randint(256, (setup.batch, setup.px, setup.px, 3), dtype=torch.uint8))
    return partial(our_update(setup, compiled), dict(inputs=images, labels=labels))


def timm_update(setup: Setup, compiled: bool = False) -> Callable[[Tensor, Tensor], None]:
    """train.py --amp --channels-last --opt sgd --opt-kwargs fused=True [--torchcompile], of images on the device."""
    model, criterion = setup.network(), nn.CrossEntropyLoss()
    optimiser = create_optimizer_v2(model, "sgd", lr=0.1, weight_decay=1e-4, momentum=0.9, fused=True)
    scaler = NativeScaler(setup.device) if setup.precision == "fp16" else None
    network = torch.compile(model) if compiled else model

    def update(images: Tensor, labels: Tensor) -> None:
        images = images.contiguous(memory_format=torch.channels_last)
        with setup.lower:
            loss = criterion(network(images), labels)
        if scaler:
            scaler(loss, optimiser)
        else:
            loss.backward()
            optimiser.step()
        optimiser.zero_grad()

    return update


def of_timm(setup: Setup, compiled: bool = False) -> Step:
    """The same from one batch again and again, by timm's prefetcher."""
    update = timm_update(setup, compiled)
    batch = setup.batch_of(torch.randint(256, (setup.batch, 3, setup.px, setup.px), dtype=torch.uint8))
    loader: Any = repeat(batch)
    batches = iter(PrefetchLoader(loader, device=torch.device(setup.device)))
    return lambda: update(*next(batches))


def of_torchvision(setup: Setup) -> Step:
    """references/classification/train.py --amp, which reads loss and accuracy after each step; timm's network."""
    model, criterion = setup.network(), nn.CrossEntropyLoss()
    optimiser = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4, nesterov=True, fused=True)
    scaler = torch.amp.GradScaler(setup.device, enabled=setup.precision == "fp16")
    host = setup.batch_of(torch.randn(setup.batch, 3, setup.px, setup.px))

    def step() -> None:
        images, labels = (each.to(setup.device, non_blocking=True) for each in host)
        images = images.contiguous(memory_format=torch.channels_last)
        with setup.lower:
            output = model(images)
            loss = criterion(output, labels)
        optimiser.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimiser)
        scaler.update()
        [each.item() for each in (loss, *accuracy(output, labels, (1, 5)))]

    return step


LOOPS: dict[str, Callable[[Setup], Step]] = {
    "timm's script": of_timm,
    "torchvision's script": of_torchvision,
    "ours": ours,
    f"timm's script, {COMPILED}": partial(of_timm, compiled=True),
    f"ours, {COMPILED}": partial(ours, compiled=True),
}
RATIOS = (
    ("ours", "timm's script", "at least 1.0"),
    ("ours", "torchvision's script", "at least 1.0"),
    ("ours, compiled", "timm's script", "at least 1.15"),
    ("ours, compiled", "timm's script, compiled", ""),
)


def seconds_of(step: Step, repeats: int, warm_up: int = WARM_UP) -> list[float]:
    """The time of each step after some others; by CUDA's events, so that the host may run ahead as in a training."""
    for _ in range(warm_up):
        step()
    events = [torch.cuda.Event(enable_timing=True) for _ in range(repeats + 1)]
    events[0].record()
    for event in events[1:]:
        step()
        event.record()
    torch.cuda.synchronize()
    return [before.elapsed_time(after) / 1000 for before, after in pairwise(events)]


def measured(loop: str, setup: Setup, repeats: int) -> tuple[float, float]:
    """A candidate's median seconds of a step, and its peak memory in MB; nothing of earlier ones is left."""
    torch.compiler.reset()
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return median(seconds_of(LOOPS[loop](setup), repeats)), peak_mb()


def driver() -> str:
    """The version of the GPU's driver, unknown where its tool is not there."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout if which(command[0]) else ""
    return told.partition("\n")[0] or "unknown"


def bench_gpu(px: int, batch: int, repeats: int, precision: str) -> Figures:
    """Images per second and peak memory of each candidate. Raises ValueError without CUDA."""
    if not torch.cuda.is_available():
        raise ValueError("bench gpu needs a CUDA device; on a CPU, tools/bench.py step")
    setup = Setup(px, batch, precision)
    turns = [*LOOPS, *(loop for _ in range(1, TURNS) for loop in LOOPS if COMPILED not in loop)]
    found: dict[str, list[tuple[float, float]]] = {loop: [] for loop in LOOPS}
    for loop in turns:
        found[loop].append(measured(loop, setup, repeats))
    seconds, peaks = ({loop: mean(each[i] for each in some) for loop, some in found.items()} for i in (0, 1))
    memory = ", ".join(f"{loop} {peak:.0f} MB" for loop, peak in peaks.items())
    return Figures(
        f"training step of ResNet-50-D on a GPU, {px} px, batch {batch}, {precision}",
        "images/s",
        {loop: batch / each for loop, each in seconds.items()},
        [Ratio(f"{one} / {other}", seconds[other] / seconds[one], goal) for one, other, goal in RATIOS],
        (f"Peak memory: {memory}.", f"CUDA {build()['cuda']}, driver {driver()}."),
    )
