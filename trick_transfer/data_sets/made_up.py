"""A few made-up samples in a data set's own layout, so that its real loaders can be tried where the data is not."""

import os
from pathlib import Path

import cv2
import numpy as np

from .sources import DataSet
from .splits import Ade, Folder, Split, Unlabelled, Voc

SIZE = (375, 500)  # ImageNet's and VOC's most common one
SAMPLES = 4  # of a split whose classes have no folders
XML = (
    "<annotation><size><width>{width}</width><height>{height}</height><depth>3</depth></size><object><name>{name}</name>"
    "<difficult>0</difficult><bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax>"
    "</bndbox></object></annotation>"
)


def write(data_set: DataSet, root: Path) -> None:
    """Fill an empty folder with every split's samples."""
    for split in data_set.splits:
        write_split(split, root)


def write_split(split: Split, root: Path) -> None:
    """One image for each class in folders of their own, or `SAMPLES` images with their boxes or masks."""
    height, width = SIZE
    if isinstance(split, Folder):
        first = root / split.name / "class0000" / "0.jpg"
        write_image(first)
        for number in range(1, split.classes):
            folder = root / split.name / f"class{number:04d}"
            folder.mkdir()
            os.link(first, folder / "0.jpg")
    elif isinstance(split, Unlabelled):
        write_image(root / split.name / "0.jpg")
    elif isinstance(split, Voc):
        base = root / "VOCdevkit" / split.year
        names = [f"{split.image_set}{i}" for i in range(SAMPLES)]
        box = dict(xmin=width // 4, ymin=height // 4, xmax=width // 2, ymax=height // 2)
        for name in names:
            write_image(base / "JPEGImages" / f"{name}.jpg")
            text = XML.format(width=width, height=height, name=split.classes[0], **box)
            write_text(base / "Annotations" / f"{name}.xml", text)
        write_text(base / "ImageSets" / "Main" / f"{split.image_set}.txt", "\n".join(names) + "\n")
    else:
        assert isinstance(split, Ade)
        base = root / "ADEChallengeData2016"
        mask = np.random.default_rng(0).integers(0, split.classes + 1, SIZE, np.uint8)
        for i in range(SAMPLES):
            write_image(base / "images" / split.name / f"{i}.jpg")
            write_image(base / "annotations" / split.name / f"{i}.png", mask)


def write_image(path: Path, pixels: np.ndarray | None = None) -> None:
    """(H, W) or (H, W, 3) as JPEG or PNG; without pixels, coarse noise."""
    if pixels is None:
        coarse = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
        pixels = cv2.resize(coarse, SIZE[::-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)


def write_text(path: Path, text: str) -> None:
    """A text file in a folder that may not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
