"""The data's splits, and their files: class folders of JPEGs, VOC (JPEG, XML, ImageSets), ADE20K (JPEG, index PNG).

The numbers of scenes are our choice. VOC boxes are 1-based and inclusive, around an animal's visible pixels;
`difficult`: more than 60 % is hidden. In masks 0 is "other".
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
from PIL import Image

from .animals import KINDS
from .scenes import Scene, Spec, render

JPEG_QUALITY = 88
DIFFICULT_BELOW = 0.4  # of its pixels are seen
TRUNCATED_BELOW = 0.85
# What splits for classification share, and what those of VOC and ADE20K.
ANIMAL: dict[str, Any] = dict(size=(88, 88), count=(1, 1), animal_px=(56.0, 84.0), clutter=(0, 2), least_visible=0.65)
SCENE: dict[str, Any] = dict(size=(128, 176), count=(1, 4), animal_px=(30.0, 76.0), clutter=(1, 5), least_visible=0.25)


@dataclass(frozen=True)
class Split:
    """`count` scenes in the format `form`: "folder" (classification), "voc" or "ade20k"; `place`: its folder or set."""

    name: str
    form: str
    place: str
    count: int
    spec: Spec

    def scene(self, index: int) -> Scene:
        """Scene number `index`; classification takes the kinds in turn, the swapped split with the coats of others."""
        if self.form != "folder":
            return render(self.spec, index)
        return render(self.spec, index, *self.kind_and_coat(index))

    def kind_and_coat(self, index: int) -> tuple[int, int | None]:
        kind = index % 10
        return kind, (kind + 1 + index // 10 % 9) % 10 if self.name == "swapped" else None

    def stem(self, index: int) -> str:
        """The file's name without suffix, and for classification its class folder."""
        if self.form != "folder":  # VOC's test starts at 005001, and 2012's ids begin with the year, as in the original
            year = "2012_" if self.place.startswith("VOC2012") else ""
            return f"{year}{index + 1 + 5000 * (self.place == 'VOC2007/test'):06d}"
        kind, coat = self.kind_and_coat(index)
        return f"{KINDS[kind]}/{'' if coat is None else f'{KINDS[coat]}_'}{index:05d}"


SPLITS = (
    Split("train", "folder", "imagenet1k/train", 6_000, Spec(0, "pretrain_train", **ANIMAL)),
    Split("val", "folder", "imagenet1k/val", 1_000, Spec(1, "pretrain_val", **ANIMAL)),
    # to choose settings on (--set val_dataloader.dataset.split=tuning), never on the split that is scored
    Split("tuning", "folder", "imagenet1k/tuning", 1_000, Spec(8, "pretrain_tuning", **ANIMAL)),
    Split("swapped", "folder", "imagenet1k/swapped", 540, Spec(2, "pretrain_val", **ANIMAL)),
    Split("voc07_trainval", "voc", "VOC2007/trainval", 200, Spec(3, "downstream_train", **SCENE)),
    Split("voc12_trainval", "voc", "VOC2012/trainval", 300, Spec(4, "downstream_train", **SCENE)),
    Split("voc07_test", "voc", "VOC2007/test", 240, Spec(5, "downstream_test", **SCENE)),
    Split("ade_training", "ade20k", "training", 500, Spec(6, "downstream_train", **SCENE)),
    Split("ade_validation", "ade20k", "validation", 240, Spec(7, "downstream_test", **SCENE)),
)


def visible_box(scene: Scene, number: int) -> tuple[int, int, int, int] | None:
    """(xmin, ymin, xmax, ymax) of animal `number` (from 0), 0-based and inclusive; None if nothing is seen of it."""
    rows, columns = np.nonzero(scene.instances == number + 1)
    if not len(rows):
        return None
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def visible_share(scene: Scene, number: int) -> float:
    """The visible share of the animal's pixels; pixels outside of the picture count as hidden."""
    whole = int((scene.animals[number].cutout.alpha > 127).sum())
    return int((scene.instances == number + 1).sum()) / whole


def add(parent: ET.Element, **fields: object) -> None:
    """Append <key>value</key> children."""
    for key, value in fields.items():
        ET.SubElement(parent, key).text = str(value)


def annotation(scene: Scene, folder: str, filename: str) -> bytes:
    """The VOC XML of a scene."""
    height, width = scene.mask.shape
    root = ET.Element("annotation")
    add(root, folder=folder, filename=filename)
    add(ET.SubElement(root, "source"), database="mini", annotation="rendered", image="synthetic")
    add(ET.SubElement(root, "size"), width=width, height=height, depth=3)
    add(root, segmented=0)
    for number, animal in enumerate(scene.animals):
        box = visible_box(scene, number)
        if box is None:
            continue
        share = visible_share(scene, number)
        node = ET.SubElement(root, "object")
        add(node, name=KINDS[animal.kind], pose="Unspecified", truncated=int(share < TRUNCATED_BELOW))
        add(node, difficult=int(share < DIFFICULT_BELOW))
        xmin, ymin, xmax, ymax = (edge + 1 for edge in box)
        add(ET.SubElement(node, "bndbox"), xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax)
    ET.indent(root, "\t")
    return ET.tostring(root)


def save(image: np.ndarray, path: Path) -> None:
    """Write an RGB picture as JPEG, or a mask as PNG, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=JPEG_QUALITY)


def save_text(text: bytes, path: Path) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)


def write(scene: Scene, split: Split, index: int, root: Path) -> bytes:
    """Write one scene's files under `root`; returns its label (class folder, XML or mask) as bytes."""
    stem = split.stem(index)
    if split.form == "folder":
        save(scene.image, root / split.place / f"{stem}.jpg")
        return stem.encode()
    if split.form == "voc":
        year = split.place.split("/")[0]
        base = root / "voc0712" / "VOCdevkit" / year
        save(scene.image, base / "JPEGImages" / f"{stem}.jpg")
        xml = annotation(scene, year, f"{stem}.jpg")
        save_text(xml, base / "Annotations" / f"{stem}.xml")
        return xml
    base = root / "ade20k" / "ADEChallengeData2016"
    save(scene.image, base / "images" / split.place / f"{stem}.jpg")
    save(scene.mask, base / "annotations" / split.place / f"{stem}.png")
    return scene.mask.tobytes()


def write_image_set(split: Split, root: Path) -> None:
    """ImageSets/Main/<set>.txt of a VOC split."""
    year, name = split.place.split("/")
    path = root / "voc0712" / "VOCdevkit" / year / "ImageSets" / "Main" / f"{name}.txt"
    save_text("".join(f"{split.stem(i)}\n" for i in range(split.count)).encode(), path)
