"""The layouts of classification's data: class folders, and a flat folder of unlabelled images."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trick_transfer.engine.split import Reader, Split, size_px, write_image, wrong_count

from .data import class_folders, decode, images_in, list_unlabelled


@dataclass(frozen=True)
class Folder(Split):
    """root/<name>/<class>/*.jpg."""

    name: str
    images: int
    classes: int

    @property
    def trains(self) -> bool:
        return self.name == "train"

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
        try:
            return {folder.name for folder in class_folders(root, self.name)}
        except FileNotFoundError:
            return set()

    def reader(self) -> Reader:
        def look(sample: tuple[str, str]) -> Iterable[str]:
            file, label = sample
            decode(file)
            return [label]

        return look

    def make_up(self, root: Path) -> None:
        first = root / self.name / "class0000" / "0.jpg"
        write_image(first, size_px(0))
        for number in range(1, self.classes):
            folder = root / self.name / f"class{number:04d}"
            folder.mkdir()
            os.link(first, folder / "0.jpg")


@dataclass(frozen=True)
class Unlabelled(Split):
    """root/<name>/*.jpg, whose classes only the publisher knows."""

    name: str
    images: int
    labelled = False

    def samples(self, root: Path) -> tuple[list[str], list[str]]:
        try:
            files = list_unlabelled(root, self.name)
        except FileNotFoundError as error:
            return [], [str(error)]
        return files, wrong_count(f"images in {root / self.name}", len(files), self.images)

    def reader(self) -> Reader:
        def look(sample: str) -> Iterable[str]:
            decode(sample)
            return []

        return look

    def make_up(self, root: Path) -> None:
        write_image(root / self.name / "0.jpg", size_px(0))
