"""Class folders of JPEGs (the layout of ImageNet-1k): root/train/<class>/*.jpg, root/val/<class>/*.jpg.

Also unlabelled images in a flat folder: root/test/*.jpg. Workers decode, crop, flip and jitter in uint8; see `augment`.
"""

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch.utils.data import Dataset

from trick_transfer.engine import archives
from trick_transfer.engine.archives import subfolders
from trick_transfer.engine.images import images_in, inspect
from trick_transfer.engine.jpeg import Jpeg, to_cut
from trick_transfer.engine.split import MADE_UP_PX, Reader, Split, write_image, wrong_count

from .augment import CROPS, jitter
from .registry import DATASETS

LAYOUT = "expected {root}/{split}/<class>/*.jpg, one folder per class"


def list_images(root: str | Path, split: str) -> tuple[list[str], list[str], np.ndarray]:
    """Class names, files and labels, sorted. Raises FileNotFoundError with the folder and the expected layout."""
    folders = class_folders(root, split)
    files = [images_in(folder) for folder in folders]
    if [] in files:
        empty, layout = folders[files.index([])], LAYOUT.format(root=root, split=split)
        raise FileNotFoundError(f"class folder {empty} holds no image; {layout}")
    labels = np.repeat(np.arange(len(folders)), [len(found) for found in files])
    return [folder.name for folder in folders], [file for found in files for file in found], labels


def class_folders(root: str | Path, split: str) -> list[Path]:
    """The class folders, sorted, without hidden ones. Raises FileNotFoundError with the layout if there are none."""
    folder = place_of(root, split)
    found = subfolders(folder)
    if not found:
        state = "is empty" if archives.is_dir(folder) else "does not exist"
        raise FileNotFoundError(f"image folder {folder} {state}; {LAYOUT.format(root=root, split=split)}")
    return found


def place_of(root: str | Path, split: str) -> Path:
    """The folder of a split, or where there is none, its archive."""
    folder = Path(root, split)
    packed = (folder.with_name(split + suffix) for suffix in archives.SUFFIXES)
    return folder if folder.is_dir() else archives.top(next(filter(archives.is_archive, packed), folder))


def list_unlabelled(root: str | Path, split: str) -> list[str]:
    """Images of unknown class in a flat folder, sorted. Raises FileNotFoundError if there are none."""
    files = images_in(Path(root, split))
    if not files:
        raise FileNotFoundError(f"{root}/{split} holds no image; put the unlabelled images there, without subfolders")
    return files


@DATASETS.register_module()
class ImageFolder(Dataset):
    """Samples are dicts: inputs, a uint8 RGB array (size_px, size_px, 3), and labels, an int.

    With `skip_broken` a file that cannot be decoded is reported once. In training the next file replaces it; where it
    is scored, as all but the split "train" or with `scored`, its label becomes -1, which the metric leaves out.
    """

    def __init__(
        self,
        root: str,
        split: str,
        num_classes: int,
        crop: dict,
        flip: float = 0.0,
        jitter: dict | None = None,
        skip_broken: bool = False,
        scored: bool = False,
    ) -> None:
        self.replaces = split == "train" and not scored
        self.classes, self.files, self.labels = list_images(root, split)
        if len(self.classes) != num_classes:
            raise ValueError(f"{root}/{split} has {len(self.classes)} class folders, the recipe expects {num_classes}")
        self.metainfo = {"classes": self.classes}
        self.flip, self.jitter, self.skip_broken = flip, jitter, skip_broken
        options = dict(crop)
        self.crop, self.crop_options = CROPS[options.pop("type")], options

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, Any]:
        label = int(self.labels[index])
        try:
            image = self.transform(to_cut(self.files[index]))
        except ValueError as error:
            if not self.skip_broken:
                raise
            warnings.warn(f"skipped: {error}", stacklevel=1)
            if self.replaces:
                return self[(index + 1) % len(self)]
            image, label = self.transform(np.zeros((8, 8, 3), np.uint8)), -1
        return {"inputs": np.ascontiguousarray(image), "labels": label}

    def transform(self, source: np.ndarray | Jpeg) -> np.ndarray:
        """Steps 2 to 4 of sec. 2.1."""
        image = self.crop(source, **self.crop_options)
        if self.flip and np.random.random() < self.flip:
            image = cv2.flip(image, 1)
        return jitter(image, **self.jitter) if self.jitter else image


@dataclass(frozen=True)
class Folder(Split):
    """root/<name>/<class>/*.jpg."""

    name: str
    images: int | None
    classes: int | None

    def samples(self, root: Path) -> tuple[list[tuple[str, str]], list[str]]:
        try:
            folders = {folder: images_in(folder) for folder in class_folders(root, self.name)}
        except FileNotFoundError as error:
            return [], [str(error)]
        samples = [(file, folder.name) for folder, files in folders.items() for file in files]
        wrong = wrong_count(f"classes in {root / self.name}", len(folders), self.classes)
        wrong += wrong_count(f"images in {root / self.name}", len(samples), self.images)
        wrong += [f"class folder {folder} holds no image" for folder, files in folders.items() if not files]
        return samples, wrong

    def labels(self, root: Path) -> set[str]:
        return {folder.name for folder in subfolders(place_of(root, self.name))}

    def reader(self) -> Reader:
        def look(sample: tuple[str, str]) -> Iterable[str]:
            inspect(sample[0])
            return sample[1:]

        return look

    def make_up(self, root: Path) -> None:
        for number in range(self.classes or 1):
            path = root / self.name / f"class{number:04d}" / "0.jpg"
            if number < len(MADE_UP_PX):
                write_image(path, MADE_UP_PX[number])
            else:
                path.parent.mkdir()
                os.link(root / self.name / f"class{number % len(MADE_UP_PX):04d}" / "0.jpg", path)


@dataclass(frozen=True)
class Unlabelled(Split):
    """root/<name>/*.jpg, whose classes only the publisher knows."""

    name: str
    images: int | None
    labelled = False

    def samples(self, root: Path) -> tuple[list[str], list[str]]:
        try:
            files = list_unlabelled(root, self.name)
        except FileNotFoundError as error:
            return [], [str(error)]
        return files, wrong_count(f"images in {root / self.name}", len(files), self.images)

    def reader(self) -> Reader:
        def look(sample: str) -> Iterable[str]:
            inspect(sample)
            return []

        return look

    def make_up(self, root: Path) -> None:
        for number, size_px in enumerate(MADE_UP_PX):
            write_image(root / self.name / f"{number}.jpg", size_px)
