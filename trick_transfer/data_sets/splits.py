"""One split of a data set on disk: how many samples there must be, which are there, and what makes one sound.

`samples(root)` lists them, with what is wrong at sight, a line each. `reader()` gives the function that looks at one:
it returns the classes it shows, or raises what is wrong. It is the training's own reading, so that what passes here
passes there; imported late, as mmdet and mmseg take seconds.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Reader = Callable[[Any], Iterable[str]]


def wrong_count(what: str, found: int, expected: int) -> list[str]:
    """The line that says so, if it is wrong."""
    return [] if found == expected else [f"{what}: {found:,}, not {expected:,}"]


@dataclass(frozen=True)
class Folder:
    """root/<name>/<class>/*.jpg."""

    name: str
    images: int
    classes: int

    def samples(self, root: Path) -> tuple[list[tuple[str, str]], list[str]]:
        from classification.data import class_folders, images_in

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
        """The classes that have a folder, whatever is in it."""
        from classification.data import class_folders

        try:
            return {folder.name for folder in class_folders(root, self.name)}
        except FileNotFoundError:
            return set()

    def reader(self) -> Reader:
        from classification.data import decode

        def look(sample: tuple[str, str]) -> Iterable[str]:
            file, label = sample
            decode(file)
            return [label]

        return look

    def empty(self, seen: set[str]) -> list[str]:
        return []  # named above, with its folder


@dataclass(frozen=True)
class Unlabelled:
    """root/<name>/*.jpg, whose classes only the publisher knows."""

    name: str
    images: int

    def samples(self, root: Path) -> tuple[list[str], list[str]]:
        from classification.data import list_unlabelled

        try:
            files = list_unlabelled(root, self.name)
        except FileNotFoundError as error:
            return [], [str(error)]
        return files, wrong_count(f"images in {root / self.name}", len(files), self.images)

    def reader(self) -> Reader:
        from classification.data import decode

        def look(sample: str) -> Iterable[str]:
            decode(sample)
            return []

        return look


@dataclass(frozen=True)
class Voc:
    """root/VOCdevkit/<year>/ImageSets/Main/<image_set>.txt lists stems of JPEGImages/*.jpg and Annotations/*.xml."""

    year: str
    image_set: str
    images: int
    classes: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.year} {self.image_set}"

    def samples(self, root: Path) -> tuple[list[tuple[Path, Path]], list[str]]:
        base = root / "VOCdevkit" / self.year
        listed = base / "ImageSets" / "Main" / f"{self.image_set}.txt"
        if not listed.is_file():
            return [], [f"{listed} does not exist"]
        stems = listed.read_text().split()
        pairs = [(base / "JPEGImages" / f"{stem}.jpg", base / "Annotations" / f"{stem}.xml") for stem in stems]
        missing = {path for pair in pairs for path in pair if not path.is_file()}
        wrong = wrong_count(f"images in {listed}", len(pairs), self.images)
        wrong += [f"{path} does not exist, {listed} names it" for path in sorted(missing)]
        return [pair for pair in pairs if missing.isdisjoint(pair)], wrong

    def reader(self) -> Reader:
        from classification.data import decode
        from detection.data import read_annotation
        from trick_transfer.engine.images import size_px

        def look(sample: tuple[Path, Path]) -> Iterable[str]:
            jpeg, xml = sample
            decode(str(jpeg))
            *size, objects = read_annotation(xml, self.classes)
            if tuple(size) != size_px(jpeg):
                raise ValueError(f"{xml} is of {size[0]} x {size[1]} pixels, its JPEG is not")
            return [self.classes[found["bbox_label"]] for found in objects]

        return look

    def empty(self, seen: set[str]) -> list[str]:
        return [name for name in self.classes if name not in seen]


@dataclass(frozen=True)
class Ade:
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
        from classification.data import decode
        from segmentation.data import LoadMask

        load = LoadMask()

        def look(sample: tuple[Path, Path]) -> Iterable[str]:
            image, mask = sample
            size = decode(str(image)).shape[:2]
            about = dict(seg_map_path=str(mask), ori_shape=size, num_classes=self.classes, seg_fields=[])
            pixels = np.bincount(load(about)["gt_seg_map"].ravel(), minlength=self.classes)
            return [str(label + 1) for label in np.flatnonzero(pixels[: self.classes])]

        return look

    def empty(self, seen: set[str]) -> list[str]:
        return [str(label) for label in range(1, self.classes + 1) if str(label) not in seen]


Split = Folder | Unlabelled | Voc | Ade
