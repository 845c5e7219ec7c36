"""The layout of segmentation's data: ADE20K's scene parsing."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from trick_transfer.engine.images import by_name, inspect
from trick_transfer.engine.progress import over_threads
from trick_transfer.engine.source import SPLITS, Found, Sample
from trick_transfer.engine.split import MADE_UP_SAMPLES, Reader, Split, size_px, write_image, wrong_count

from .masks import Ids, read_mask

DATA = Path("ADEChallengeData2016")  # under the data root
FOLDERS = dict(zip(SPLITS, ("training", "validation"), strict=True))
MOST = 255
LAYOUT = f"{DATA}/{{images,annotations}}/{{training,validation}}/*.{{jpg,png}}"


def pairs(images: Path, masks: Path) -> list[tuple[Path, Path]]:
    """Every image of `images` with its mask; raises FileNotFoundError if there are none or a mask is missing."""
    found, named = by_name(images), by_name(masks, (".png",))
    if not found:
        raise FileNotFoundError(f"no image in {images}; the data root must hold {LAYOUT}")
    missing = [masks / f"{name}.png" for name in found if name not in named]
    if missing:
        raise FileNotFoundError(f"{len(missing)} of {len(found)} images have no mask; the first is {missing[0]}")
    return [(image, named[name]) for name, image in found.items()]


@dataclass(frozen=True)
class Ade(Split):
    """root/ADEChallengeData2016/{images,annotations}/<name>/*.{jpg,png}; masks of 0 to `classes`, and 0 is ignored."""

    name: str
    images: int | None
    classes: int | None
    names: tuple[str, ...] = ()  # of the classes, if they are not ADE20K's

    def samples(self, root: Path) -> tuple[list[tuple[Path, Path]], list[str]]:
        folder = root / DATA / "images" / self.name
        try:
            images, masks = by_name(folder), by_name(root / DATA / "annotations" / self.name, (".png",))
        except ValueError as error:
            return [], [str(error)]
        if not images:
            return [], [f"{folder} holds no image"]
        wrong = wrong_count(f"images in {folder}", len(images), self.images)
        wrong += [f"{images[name]} has no mask" for name in images if name not in masks]
        wrong += [f"{masks[name]} has no image" for name in masks if name not in images]
        return [(path, masks[name]) for name, path in images.items() if name in masks], wrong

    def reader(self) -> Reader:
        def look(sample: tuple[Path, Path]) -> Iterable[str]:
            image, mask = sample
            raw = read_mask(mask, inspect(image).shape[:2])
            if self.classes:
                Ids().check(raw, self.classes, mask)
            elif raw.max() > MOST:
                raise ValueError(f"mask {mask} holds {raw.max()}; classes are 0 to {MOST}, as a byte holds them")
            return [self.called(value) for value in np.unique(raw).tolist() if value or not self.classes]

        return look

    def empty(self, seen: set[str]) -> list[str]:
        return [name for name in map(self.called, range(1, (self.classes or 0) + 1)) if name not in seen]

    def called(self, label: int) -> str:
        """The name of a mask's value; ADE20K's are called by their numbers."""
        return self.names[label - 1] if self.names else str(label)

    def make_up(self, root: Path) -> None:
        for i in range(MADE_UP_SAMPLES):
            mask = np.random.default_rng(0).integers(0, (self.classes or 0) + 1, size_px(i), np.uint8)
            write_image(root / DATA / "images" / self.name / f"{i}.jpg", size_px(i))
            write_image(root / DATA / "annotations" / self.name / f"{i}.png", size_px(i), mask)


def lay_out(found: Found, root: Path) -> None:
    """Samples of Masks as ADE20K's training and validation: links to the images, masks written anew."""
    for kind in ("images", "annotations"):
        for folder in FOLDERS.values():
            (root / DATA / kind / folder).mkdir(parents=True)

    def place(sample: Sample) -> None:
        image, mask = (root / DATA / kind / FOLDERS[sample.split or ""] for kind in ("images", "annotations"))
        (image / f"{sample.file_name}{sample.image.suffix}").symlink_to(sample.image.resolve())
        Image.fromarray(sample.truth.numbers()).save(mask / f"{sample.file_name}.png")

    for _ in over_threads(place, found.samples, "writing masks"):
        pass
