"""Table 3: images per second and memory of baseline and efficient training; and the cost of a teacher."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch.utils.data import DataLoader

from classification.classifier import ImageClassifier, export
from classification.config import load, names
from trick_transfer.engine.receipt import ROOT
from trick_transfer.engine.seeding import Seeded

from .photos import write_photos

SETTINGS = ("baseline", "efficient")
BATCH_GROWTH = 4  # Table 3: 256 -> 1024
WARM_UP, STEPS, PHOTOS = 3, 8, 64


def settings_of(backbone: str) -> dict[str, Config]:
    """Both settings of one backbone, a recipe's (resnet50d, mobilenet, ...) or timm/NAME, with its input size."""
    known = f"{backbone}_efficient" in names()
    reference = load(f"{backbone}_efficient") if known else load("resnet50_baseline", {"model.backbone": backbone})
    found = {}
    for setting in SETTINGS:
        cfg = load(f"resnet50_{setting}")
        cfg.model.backbone = reference.model.backbone
        cfg.train_dataloader.dataset.dataset.crop = reference.train_dataloader.dataset.dataset.crop
        found[setting] = cfg
    return found


def classifier(cfg: Config) -> tuple[ImageClassifier, OptimWrapper]:
    """Model and optimiser as tools/train.py makes them, on the available device."""
    model = ImageClassifier(**{key: value for key, value in cfg.model.items() if key != "type"})
    model = model.to(device()).to(memory_format=torch.channels_last).train()
    MMLogger.get_current_instance().setLevel("ERROR")  # it lists every parameter
    cfg.optim_wrapper.constructor, cfg.optim_wrapper.optimizer.fused = "trick_transfer.MergedGroups", True
    return model, build_optim_wrapper(model, cfg.optim_wrapper)


def device() -> str:
    """The available device."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def finished() -> float:
    """The time in seconds, once the device has finished all its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def measure(cfg: Config, batch: int, workers: int) -> dict[str, float]:
    """images_per_second, wait_percent (for data) and peak_mb of a real loop over JPEGs of 500x375."""
    with TemporaryDirectory() as folder:
        write_photos(Path(folder), PHOTOS)
        data = Seeded(cfg.train_dataloader.dataset.dataset | dict(root=folder, num_classes=1))
        draws = [(i % PHOTOS, i) for i in range(batch * (WARM_UP + STEPS))]
        batches = iter(DataLoader(data, batch, sampler=draws, num_workers=workers))
        model, optimiser = classifier(cfg)
        waited = begun = 0.0
        for step in range(WARM_UP + STEPS):
            if step == WARM_UP:
                waited, begun = 0.0, finished()
            asked = time.perf_counter()
            images = next(batches)
            waited += time.perf_counter() - asked
            model.train_step(images, optimiser)
        seconds = finished() - begun
    return dict(
        images_per_second=batch * STEPS / seconds, wait_percent=100 * waited / seconds, peak_mb=peak_mb(), batch=batch
    )


def peak_mb() -> float:
    """Peak memory of the GPU, or of this process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bench_classification(backbone: str, batch: int, workers: int, setting: str | None) -> None:
    """Both settings, each in a process of its own; `batch` is the baseline's on this device."""
    configs = settings_of(backbone)
    if setting:
        print(json.dumps(measure(configs[setting], batch * (BATCH_GROWTH if setting == "efficient" else 1), workers)))
        return
    found = {}
    for name in SETTINGS:
        words = ["classification", "--backbone", backbone, "--batch", str(batch), "--workers", str(workers)]
        command = [sys.executable, str(ROOT / "tools" / "bench.py"), *words, "--setting", name]
        found[name] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        line = "{images_per_second:7.1f} images/s  {peak_mb:7.0f} MB  waits for data {wait_percent:4.1f} % of the time"
        print(f"{backbone} {name:9} batch {found[name]['batch']:4}  {line.format(**found[name])}")
    ratio = found["efficient"]["images_per_second"] / found["baseline"]["images_per_second"]
    print(f"efficient / baseline: {ratio:.2f} (Table 3, on 8 V100: ResNet-50 3.0, Inception-V3 2.5, MobileNet 1.7)")


def teacher_steps(px: int, batch: int, folder: Path) -> dict[str, Callable[[], Any]]:
    """A step of the student without and with its teacher, and the teacher's forward pass alone."""
    teacher_cfg = load("resnet152d_mixup")
    teacher = ImageClassifier(teacher_cfg.model.backbone, teacher_cfg.model.num_classes)
    card = export(teacher, teacher_cfg, folder, {}, name="teacher", tier="smoke", seed=0)
    images = torch.randint(0, 256, (batch, px, px, 3), dtype=torch.uint8)
    data = {"inputs": images, "labels": torch.randint(0, 1000, (batch,))}
    alone, optimiser = classifier(load("resnet50d_best", {"tricks.distillation": None}))
    cfg = load("resnet50d_best")
    cfg.model.teacher.card = str(card.folder / "card.json")
    model, taught = classifier(cfg)
    (frozen,) = model.teacher
    scaled = model.data_preprocessor(data)["inputs"]

    def forward() -> None:
        with taught.optim_context(model), torch.inference_mode():
            frozen.model(scaled)

    return {
        "alone": lambda: alone.train_step(data, optimiser),
        "with a teacher": lambda: model.train_step(data, taught),
        "forward pass": forward,
    }
