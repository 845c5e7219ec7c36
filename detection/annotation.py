"""A VOC XML, read strictly: what is missing, contradictory or impossible is an error that names the file.

Boxes count pixels from 0 and include their last one (VOC devkit; GluonCV subtracts 1 from all four sides, too). So a
box whose corners are equal has one pixel, and is valid.
"""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from trick_transfer.engine.images import displayed_px, stored_px


class BadBox(ValueError):
    """A box that is empty or leaves its image."""


def number(found: ET.Element, field: str, kind: type = int, default: str = "") -> Any:
    """A number from a VOC XML; raises ValueError that names a field which is missing, empty or not a number."""
    text = found.findtext(field, default)
    try:
        return kind(text)
    except ValueError:
        reason = f"is {text.strip()!r}, not a number" if text.strip() else "is missing or empty"
        raise ValueError(f"<{field}> {reason}") from None


def box_of(found: ET.Element, width: int, height: int) -> list[float]:
    """x1, y1, x2, y2 from 0 (VOC counts pixels from 1); raises BadBox, or ValueError unless there is one <bndbox>."""
    if (boxes := len(found.findall("bndbox"))) > 1:
        raise ValueError(f"an <object> has {boxes} <bndbox>; give each box an <object> of its own")
    x1, y1, x2, y2 = (number(found, f"bndbox/{side}", float) - 1 for side in ("xmin", "ymin", "xmax", "ymax"))
    if not (0 <= x1 <= x2 < width and 0 <= y1 <= y2 < height):
        box = ", ".join(f"{side + 1:g}" for side in (x1, y1, x2, y2))
        raise BadBox(f"the box ({box}) is empty or leaves its image of {width} x {height} pixels, counted from 1")
    return [x1, y1, x2, y2]


def size_of(root: ET.Element, image: Path | None, own: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height of the pixels that the boxes count. Raises ValueError unless the image has them, in either way.

    They are those of the stored pixels, as in all of VOC and without a <size>. Some tools annotate the displayed image.
    """
    stated = None if root.find("size") is None else tuple(number(root, f"size/{side}") for side in ("width", "height"))
    if image is None or own is None:
        return stated or (number(root, "size/width"), number(root, "size/height"))
    if stated in (None, (0, 0), own):
        return own
    shown = displayed_px(image)  # only now: a data set has thousands of images
    if stated != shown:
        exif = f", by EXIF turned to {shown[0]} x {shown[1]}" if shown != own else ""
        raise ValueError(f"<size> states {stated[0]} x {stated[1]} pixels, its image has {own[0]} x {own[1]}{exif}")
    return shown


def read_annotation(
    path: Path,
    classes: tuple[str, ...] | None,
    image: Path | None = None,
    stored: tuple[int, int] | None = None,
    drop_bad: bool = False,
) -> tuple[int, int, list[dict]]:
    """A VOC XML -> width, height, and a dict(bbox, name, difficult) per object; a ValueError names file and objects.

    `classes`: those allowed, or None. `stored`: the image's size, if it is known. `drop_bad` leaves bad boxes out.
    """
    problems, objects = [], []
    try:
        if not path.is_file():
            raise ValueError("no such file")
        root = ET.parse(path).getroot()
        width, height = size_of(root, image, stored or (stored_px(image) if image else None))
        for found in root.iter("object"):
            try:
                objects.append(read_object(found, classes, width, height))
            except BadBox as error:
                problems += [] if drop_bad else [str(error)]
    except (OSError, ET.ParseError, ValueError) as error:
        problems.append(str(error))
    if problems:
        raise ValueError(f"VOC annotation {path}: {', '.join(problems)}")
    return width, height, objects


def read_object(found: ET.Element, classes: tuple[str, ...] | None, width: int, height: int) -> dict[str, Any]:
    """One <object>. Raises ValueError."""
    name = found.findtext("name", "").strip()
    if classes is not None and name not in classes:
        raise ValueError(f"label {name!r} is not one of the {len(classes)} classes")
    difficult = number(found, "difficult", default="0")
    return {"bbox": box_of(found, width, height), "name": name, "difficult": difficult}
