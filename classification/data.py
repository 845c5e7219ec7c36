"""Class folders of JPEGs (the layout of ImageNet-1k): root/train/<class>/*.jpg, root/val/<class>/*.jpg.

Workers decode, crop, flip and jitter in uint8; see `augment`.
"""

import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch.utils.data import Dataset

from trick_transfer.engine.images import decode

from .augment import CROPS, jitter
from .registry import DATASETS

LAYOUT = "expected {root}/{split}/<class>/*.jpg, one folder per class"
SUFFIXES = {".jpg", ".jpeg", ".png"}


def list_images(root: str | Path, split: str) -> tuple[list[str], list[str], np.ndarray]:
    """Class names, files and labels, sorted. Raises FileNotFoundError with the folder and the expected layout."""
    folders = class_folders(root, split)
    files, labels = [], []
    for label, folder in enumerate(folders):
        found = images_in(folder)
        if not found:
            raise FileNotFoundError(f"class folder {folder} holds no image; {LAYOUT.format(root=root, split=split)}")
        files += found
        labels += [label] * len(found)
    return [folder.name for folder in folders], files, np.array(labels)


def class_folders(root: str | Path, split: str) -> list[Path]:
    """The class folders, sorted. Raises FileNotFoundError with the expected layout if there are none."""
    folder = Path(root) / split
    layout = LAYOUT.format(root=root, split=split)
    if not folder.is_dir():
        raise FileNotFoundError(f"image folder {folder} does not exist; {layout}")
    found = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    if not found:
        raise FileNotFoundError(f"image folder {folder} is empty; {layout}")
    return found


def images_in(folder: Path) -> list[str]:
    """The images directly in a folder, sorted."""
    return sorted(str(path) for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)


def list_unlabelled(root: str | Path, split: str) -> list[str]:
    """Images of unknown class in a flat folder, sorted. Raises FileNotFoundError if there are none."""
    folder = Path(root) / split
    files = images_in(folder)
    if not files:
        raise FileNotFoundError(f"{folder} holds no image; put the unlabelled images there, without subfolders")
    return files


@DATASETS.register_module()
class ImageFolder(Dataset):
    """Samples are dicts: inputs, a uint8 RGB array (size_px, size_px, 3), and labels, an int.

    With `skip_broken` a file that cannot be decoded is reported once. In training the next file replaces it; in
    validation its label becomes -1, which the metric leaves out and counts.
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
    ) -> None:
        self.classes, self.files, self.labels = list_images(root, split)
        if len(self.classes) != num_classes:
            raise ValueError(f"{root}/{split} has {len(self.classes)} class folders, the recipe expects {num_classes}")
        self.metainfo = {"classes": self.classes}
        self.split, self.flip, self.jitter, self.skip_broken = split, flip, jitter, skip_broken
        options = dict(crop)
        self.crop, self.crop_options = CROPS[options.pop("type")], options

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, Any]:
        try:
            image, label = decode(self.files[index]), int(self.labels[index])
        except ValueError as error:
            if not self.skip_broken:
                raise
            warnings.warn(f"skipped: {error}", stacklevel=1)
            if self.split == "train":
                return self[(index + 1) % len(self)]
            image, label = np.zeros((8, 8, 3), np.uint8), -1
        return {"inputs": np.ascontiguousarray(self.transform(image)), "labels": label}

    def transform(self, image: np.ndarray) -> np.ndarray:
        """Steps 2 to 4 of sec. 2.1."""
        image = self.crop(image, **self.crop_options)
        if self.flip and np.random.random() < self.flip:
            image = cv2.flip(image, 1)
        return jitter(image, **self.jitter) if self.jitter else image
