"""The layout of segmentation's data: ADE20K's scene parsing."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trick_transfer.engine.images import decode
from trick_transfer.engine.split import MADE_UP_SAMPLES, Reader, Split, size_px, write_image, wrong_count


@dataclass(frozen=True)
class Ade(Split):
    """root/ADEChallengeData2016/{images,annotations}/<name>/*.{jpg,png}; masks of 0 to `classes`, and 0 is ignored."""

    name: str
    images: int
    classes: int

    def samples(self, root: Path) -> tuple[list[tuple[Path, Path]], list[str]]:
        base = root / "ADEChallengeData2016"
        images = {path.stem: path for path in sorted((base / "images" / self.name).glob("*.jpg"))}
        masks = {path.stem: path for path in sorted((base / "annotations" / self.name).glob("*.png"))}
        wrong = wrong_count(f"images in {base / 'images' / self.name}", len(images), self.images)
        wrong += [f"{images[stem]} has no mask" for stem in images if stem not in masks]
        wrong += [f"{masks[stem]} has no image" for stem in masks if stem not in images]
        return [(path, masks[stem]) for stem, path in images.items() if stem in masks], wrong

    def reader(self) -> Reader:
        from .data import LoadMask

        load = LoadMask()

        def look(sample: tuple[Path, Path]) -> Iterable[str]:
            image, mask = sample
            size = decode(image).shape[:2]
            about = dict(seg_map_path=str(mask), ori_shape=size, num_classes=self.classes, seg_fields=[])
            pixels = np.bincount(load(about)["gt_seg_map"].ravel(), minlength=self.classes)
            return [str(label + 1) for label in np.flatnonzero(pixels[: self.classes])]

        return look

    def empty(self, seen: set[str]) -> list[str]:
        return [str(label) for label in range(1, self.classes + 1) if str(label) not in seen]

    def make_up(self, root: Path) -> None:
        base = root / "ADEChallengeData2016"
        for i in range(MADE_UP_SAMPLES):
            mask = np.random.default_rng(0).integers(0, self.classes + 1, size_px(i), np.uint8)
            write_image(base / "images" / self.name / f"{i}.jpg", size_px(i))
            write_image(base / "annotations" / self.name / f"{i}.png", size_px(i), mask)
