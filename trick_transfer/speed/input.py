"""Our input pipeline against torchvision's and albumentations', from a JPEG file to a normalised batch, on one core.

The references do less: their jitter scales brightness, contrast and saturation, ours turns the hue, too, and none of
them adds PCA noise. With both albumentations takes four times as long; torchvision has no such noise.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torchvision import io, transforms
from torchvision.transforms import v2

from classification.augment import PixelScaler
from classification.config import load
from classification.data import ImageFolder
from trick_transfer.engine.images import decode
from trick_transfer.engine.memory import keep_freed_memory

from .figures import Figures, Ratio, rounds
from .training import write_photos

MEAN, STD = (123.68, 116.779, 103.939), (58.393, 57.12, 57.375)
UNIT = dict(mean=[each / 255 for each in MEAN], std=[each / 255 for each in STD])
PHOTOS, BATCH, STRENGTH = 128, 32, 0.4
DECODING = "decoding alone"
REMARKS = (
    "The processor time of one process is measured, which others on the machine change little. The references' jitter "
    "turns no hue, and they add no PCA noise; ours does both.",
    "What lies below a crop is not decoded; the pixels are the same. libjpeg-turbo could also spare what lies above "
    "and beside it, but no wheel for Python has that call. Decoding at a reduced size changes the pixels, and gains "
    "nothing at 500 x 375: half the size is too small for crops to 224 px, three quarters take longer than the whole.",
)


def ours(folder: Path, px: int) -> Callable[[], object]:
    """Batches of the recipes' training data, normalised as on the device."""
    options = load("resnet50_baseline").train_dataloader.dataset.dataset.to_dict()
    options.pop("type")
    options["crop"]["size_px"] = px
    data, scaler = ImageFolder(root=str(folder), num_classes=1, **options), PixelScaler(MEAN, STD, 0.1)

    def run() -> None:
        for start in range(0, PHOTOS, BATCH):
            images = np.stack([data[i]["inputs"] for i in range(start, start + BATCH)])
            scaler.normalise(torch.from_numpy(images), training=True)

    return run


def pillow(px: int) -> Callable[[str], torch.Tensor]:
    """torchvision's classic transforms, as timm uses them, too."""
    steps = transforms.Compose([
        transforms.RandomResizedCrop(px),
        transforms.RandomHorizontalFlip(),
        transforms.ColorJitter(STRENGTH, STRENGTH, STRENGTH),
        transforms.ToTensor(),
        transforms.Normalize(**UNIT),
    ])  # fmt: skip
    return lambda file: steps(Image.open(file).convert("RGB"))


def tensors(px: int) -> Callable[[str], torch.Tensor]:
    """torchvision's v2 transforms on tensors, and its decoder."""
    steps = v2.Compose([
        v2.RandomResizedCrop(px, antialias=False),
        v2.RandomHorizontalFlip(),
        v2.ColorJitter(STRENGTH, STRENGTH, STRENGTH),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(**UNIT),
    ])  # fmt: skip
    return lambda file: steps(io.decode_image(io.read_file(file), io.ImageReadMode.RGB))


def albumentations(px: int) -> Callable[[str], torch.Tensor]:
    """albumentations' transforms, and OpenCV's decoder."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else it asks the network for a newer version
    try:
        import albumentations as library
        from albumentations.pytorch import ToTensorV2
    except ImportError:
        raise ValueError(
            "albumentations, one of the references, is not installed; make setup-dev installs it"
        ) from None

    range_: Any = (1 - STRENGTH, 1 + STRENGTH)
    steps = library.Compose([
        library.RandomResizedCrop((px, px)),
        library.HorizontalFlip(),
        library.ColorJitter(range_, range_, range_, hue=0, p=1),
        library.Normalize(**UNIT),
        ToTensorV2(),
    ])  # fmt: skip
    return lambda file: steps(image=cv2.imread(file, cv2.IMREAD_COLOR_RGB))["image"]


REFERENCES = {"torchvision, Pillow": pillow, "torchvision v2, tensors": tensors, "albumentations": albumentations}


def bench_input(px: int, repeats: int) -> Figures:
    """Images per second of processor time, which other processes on the machine do not change much."""
    keep_freed_memory()  # as our training does; all gain by it
    torch.set_num_threads(1)
    cv2.setNumThreads(1)

    def batches(read: Callable[[str], torch.Tensor]) -> None:
        for start in range(0, PHOTOS, BATCH):
            torch.stack([read(file) for file in files[start : start + BATCH]])

    def decoding() -> None:
        for file in files:
            decode(file)

    with TemporaryDirectory() as name:
        write_photos(Path(name), PHOTOS)
        files = sorted(map(str, Path(name).rglob("*.jpg")))
        candidates: dict[str, Callable[[], object]] = {"ours": ours(Path(name), px), DECODING: decoding}
        candidates |= {each: partial(batches, make(px)) for each, make in REFERENCES.items()}
        seconds = rounds(candidates, repeats, time.process_time)
    best = min(REFERENCES, key=seconds.__getitem__)
    return Figures(
        f"input pipeline, {px} px, one core",
        "images/s",
        {each: PHOTOS / spent for each, spent in seconds.items()},
        [
            Ratio(f"ours / the best reference, {best}", seconds[best] / seconds["ours"], "at least 1.5"),
            Ratio(f"ours / {DECODING}", seconds[DECODING] / seconds["ours"], "at least 0.7"),
        ],
        REMARKS,
    )
