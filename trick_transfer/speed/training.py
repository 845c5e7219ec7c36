"""Table 3: images per second and memory of baseline and efficient training, and what all benchmarks need for it."""

import json
import resource
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import skimage.data
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch.utils.data import DataLoader

from classification.classifier import ImageClassifier
from classification.config import load, names
from trick_transfer.command_line import PROGRAM
from trick_transfer.engine.convolution import laid_out
from trick_transfer.engine.seeding import Seeded

SETTINGS = ("baseline", "efficient")
OF_THE_LOSS = ("label_smoothing", "mixup", "distillation")
BATCH_GROWTH = 4  # Table 3: 256 -> 1024
WARM_UP, STEPS, PHOTOS, DISTINCT = 3, 8, 64, 5120
PHOTO_PX = (375, 500)  # height and width: ImageNet's most common size


def write_photos(folder: Path, count: int) -> None:
    """Write folder/train/photo/*.jpg, cut from scikit-image's photographs; after DISTINCT the same ones again."""
    source = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea(), skimage.data.rocket()]
    random = np.random.default_rng(0)
    (folder / "train" / "photo").mkdir(parents=True)
    for i in range(DISTINCT, count):
        (folder / "train" / "photo" / f"{i:05d}.jpg").symlink_to(f"{i % DISTINCT:05d}.jpg")
    for i in range(min(count, DISTINCT)):
        image = source[i % len(source)]
        side = random.uniform(0.6, 1.0)
        h, w = int(image.shape[0] * side), int(image.shape[1] * side)
        y, x = random.integers(image.shape[0] - h + 1), random.integers(image.shape[1] - w + 1)
        cut = cv2.resize(image[y : y + h, x : x + w, ::-1], PHOTO_PX[::-1])
        cv2.imwrite(str(folder / "train" / "photo" / f"{i:05d}.jpg"), cut, [cv2.IMWRITE_JPEG_QUALITY, 90])


def settings_of(backbone: str) -> dict[str, Config]:
    """Both settings of one backbone, a recipe's (resnet50d, mobilenet, ...) or timm/NAME, with its input size."""
    known = f"{backbone}_efficient" in names()
    reference = load(f"{backbone}_efficient") if known else load("resnet50_baseline", {"model.backbone": backbone})
    found = {setting: load(f"resnet50_{setting}") for setting in SETTINGS}
    for cfg in found.values():
        cfg.model.backbone = reference.model.backbone
        cfg.train_dataloader.dataset.dataset.crop = reference.train_dataloader.dataset.dataset.crop
    return found


def classifier(cfg: Config) -> tuple[ImageClassifier, OptimWrapper]:
    """Model and optimiser as tools/train.py makes them, on the available device."""
    model = ImageClassifier(**{key: value for key, value in cfg.model.items() if key != "type"})
    model = laid_out(model.to("cuda" if torch.cuda.is_available() else "cpu")).train()
    MMLogger.get_current_instance().setLevel("ERROR")  # it lists every parameter
    cfg.optim_wrapper.constructor, cfg.optim_wrapper.optimizer.fused = "trick_transfer.MergedGroups", True
    return model, build_optim_wrapper(model, cfg.optim_wrapper)


def our_model(tricks: Sequence[str] = (), precision: str | None = None) -> tuple[ImageClassifier, OptimWrapper]:
    """ResNet-50-D of the best recipe, of the loss's tricks with these alone; `precision` as of `low_precision`."""
    cfg = load("resnet50d_best", {f"tricks.{each}": None for each in OF_THE_LOSS if each not in tricks})
    cfg.optim_wrapper.precision = precision
    return classifier(cfg)


def finished() -> float:
    """The time in seconds, once the device has finished all its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def peak_mb() -> float:
    """Peak memory of the GPU, or of this process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


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
    rates = dict(images_per_second=batch * STEPS / seconds, wait_percent=100 * waited / seconds)
    return rates | dict(peak_mb=peak_mb(), batch=batch)


def in_own_process(what: str, **options: Any) -> dict[str, float]:
    """What tools/bench.py prints, in a process of its own so that two measurements do not share memory."""
    words = [*PROGRAM, "bench", what]
    words += [f"--{name}={value}" for name, value in options.items()]
    return json.loads(subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout)


def bench_classification(backbone: str, batch: int, workers: int, setting: str | None) -> None:
    """Both settings, each in a process of its own; `batch` is the baseline's on this device."""
    configs = settings_of(backbone)
    if setting:
        print(json.dumps(measure(configs[setting], batch * (BATCH_GROWTH if setting == "efficient" else 1), workers)))
        return
    found = {}
    for name in SETTINGS:
        found[name] = in_own_process("classification", backbone=backbone, batch=batch, workers=workers, setting=name)
        line = "{images_per_second:7.1f} images/s  {peak_mb:7.0f} MB  waits for data {wait_percent:4.1f} % of the time"
        print(f"{backbone} {name:9} batch {found[name]['batch']:4}  {line.format(**found[name])}")
    ratio = found["efficient"]["images_per_second"] / found["baseline"]["images_per_second"]
    print(f"efficient / baseline: {ratio:.2f} (Table 3, on 8 V100: ResNet-50 3.0, Inception-V3 2.5, MobileNet 1.7)")
