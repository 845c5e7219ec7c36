"""A VOC XML, read strictly: what is missing, contradictory or impossible is an error that names the file.

Boxes count pixels from 0 and include their last one (VOC devkit; GluonCV subtracts 1 from all four sides, too). So a
box whose corners are equal has one pixel, and is valid.
"""

import xml.etree.ElementTree as ET
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.logging import print_log

from trick_transfer.engine.images import displayed_px, stored_px

BAD_BOXES = ("error", "drop", "clip")  # what to do with a box that is empty or leaves its image
NO_SIZE = "state no size, or 0 x 0; the image's counts"
NO_DIFFICULT = "have an object without <difficult>, which means 0"
TURNED = "state the size of the image as EXIF turns it, so it is turned"


class Annotation(NamedTuple):
    """The objects of an image of width x height pixels: dicts of bbox, name, difficult and, of COCO, crowd and `said`.

    A bbox is x1, y1, x2, y2 as the file `where` counts; see `placed`. `remarks`: what is odd in it, in general words.
    """

    where: str
    width: int
    height: int
    objects: list[dict[str, Any]]
    remarks: tuple[str, ...] = ()


def number(found: ET.Element, field: str, default: str = "") -> float:
    """A number from a VOC XML; raises ValueError that names a field which is missing, empty or not a number."""
    text = found.findtext(field, default).strip()
    try:
        if isfinite(value := float(text)):
            return value
    except ValueError:
        pass
    raise ValueError(f"<{field}> {f'is {text!r}, not a number' if text else 'is missing or empty'}")


def whole(found: ET.Element, field: str, default: str = "") -> int:
    """A whole number, also one that is written as 96.0. Raises as `number`."""
    if not (value := number(found, field, default)).is_integer():
        raise ValueError(f"<{field}> is {value:g}, not a whole number")
    return int(value)


def box_of(found: ET.Element) -> list[float]:
    """xmin, ymin, xmax, ymax as stated, in any order in the file. Raises ValueError unless there is one <bndbox>."""
    if (boxes := len(found.findall("bndbox"))) > 1:
        raise ValueError(f"an <object> has {boxes} <bndbox>; give each box an <object> of its own")
    return [number(found, f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]


def pixels_of(stated: tuple[int, int] | None, image: Path, own: tuple[int, int]) -> tuple[int, int]:
    """Width and height of the pixels that the boxes count. Raises ValueError unless the image has them, in either way.

    They are those of the stored pixels, as in all of VOC and without a size. Some tools annotate the displayed image.
    """
    if stated in (None, (0, 0), own):
        return own
    shown = displayed_px(image)  # only now: a data set has thousands of images
    if stated != shown:
        exif = f", by EXIF turned to {shown[0]} x {shown[1]}" if shown != own else ""
        raise ValueError(
            f"it states {stated[0]} x {stated[1]} pixels, its image has {own[0]} x {own[1]}{exif}; mend either"
        )
    return shown


def size_of(root: ET.Element) -> tuple[int, int] | None:
    """Width and height that a <size> states; None without one. Raises ValueError for no numbers."""
    if root.find("size") is None:
        return None
    return whole(root, "size/width"), whole(root, "size/height")


def parse(
    path: Path, classes: tuple[str, ...] | None = None, image: Path | None = None, stored: tuple[int, int] | None = None
) -> Annotation:
    """A VOC XML with its boxes as stated. Raises ValueError that names the file.

    `classes`: those allowed, or None. `stored`: the image's size, if it is known.
    """
    try:
        if not path.is_file():
            raise ValueError("no such file")
        root = ET.parse(path).getroot()
        for each in root.iter():
            each.tag = each.tag.rpartition("}")[2]  # without a namespace
        stated, own = size_of(root), stored or (stored_px(image) if image else None)
        width, height = pixels_of(stated, image, own) if image and own else stated or (0, 0)
        objects = [read_object(found, classes) for found in root.iter("object")]
    except (OSError, ET.ParseError, ValueError) as error:
        raise ValueError(f"VOC annotation {path}: {error}") from error
    odd = {
        NO_SIZE: stated in (None, (0, 0)),
        TURNED: own not in (None, (width, height)),
        NO_DIFFICULT: any(found.find("difficult") is None for found in root.iter("object")),
    }
    return Annotation(str(path), width, height, objects, tuple(remark for remark, holds in odd.items() if holds))


def read_object(found: ET.Element, classes: tuple[str, ...] | None) -> dict[str, Any]:
    """One <object>. Raises ValueError."""
    name = found.findtext("name", "").strip()
    if not name:
        raise ValueError("an <object> has no <name>")
    if classes is not None and name not in classes:
        raise ValueError(f"label {name!r} is not one of the {len(classes)} classes")
    difficult = whole(found, "difficult", default="0")
    return {"bbox": box_of(found), "name": name, "difficult": difficult}


def is_crowd(thing: dict[str, Any]) -> bool:
    """Whether an object is a group that COCO does not tell apart."""
    return thing.get("crowd", False)


def fits(box: list[float], width: int, height: int) -> bool:
    """Whether a box from 0 has a pixel, and none outside its image."""
    x1, y1, x2, y2 = box
    return 0 <= x1 <= x2 < width and 0 <= y1 <= y2 < height


def placed(found: Annotation, first_pixel: int = 1, bad_boxes: str = "error") -> tuple[Annotation, list[str]]:
    """Its objects with boxes from 0, and a line for each box that is empty or leaves the image.

    Such a box is left out, or with "clip" cut at the image's border; then it is left out if nothing remains.
    """
    objects, bad = [], []
    for each in found.objects:
        box = [side - first_pixel for side in each["bbox"]]
        if not fits(box, found.width, found.height):
            said = each.get("said") or f"({', '.join(f'{side:g}' for side in each['bbox'])})"
            size = f"{found.width} x {found.height} pixels, counted from {first_pixel}"
            bad.append(f"the box {said} is empty or leaves its image of {size}")
            if bad_boxes == "clip":
                x1, y1, x2, y2 = box
                box = [max(x1, 0), max(y1, 0), min(x2, found.width - 1), min(y2, found.height - 1)]
            if bad_boxes != "clip" or not fits(box, found.width, found.height):
                continue
        objects.append({**each, "bbox": box})
    return found._replace(objects=objects), bad


def read_annotation(
    path: Path,
    classes: tuple[str, ...] | None,
    image: Path | None = None,
    stored: tuple[int, int] | None = None,
    bad_boxes: str = "error",
) -> Annotation:
    """A VOC XML with its boxes from 0; a note tells of bad ones. Raises ValueError that names the file.

    `bad_boxes`: one of BAD_BOXES.
    """
    found, bad = placed(parse(path, classes, image, stored), bad_boxes=bad_boxes)
    if bad and bad_boxes == "error":
        raise ValueError(f"VOC annotation {path}: {', '.join(bad)}")
    if bad:
        print_log(f"VOC annotation {path}: {bad_boxes} {', '.join(bad)}", logger="current")
    return found
