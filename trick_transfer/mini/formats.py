"""Writes scenes to files: class folders of JPEGs, VOC (JPEG, XML, ImageSets), ADE20K (JPEG, index PNG; 0 = other).

VOC boxes are 1-based and inclusive, around an animal's visible pixels; `difficult`: more than 60 % is hidden.
"""

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
from PIL import Image

from .animals import KINDS
from .scenes import Scene
from .splits import Split

JPEG_QUALITY = 88
DIFFICULT_BELOW = 0.4  # of its pixels are seen
TRUNCATED_BELOW = 0.85


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
