"""Pascal VOC, read strictly: difficult objects are training truths, and ignored in evaluation (GluonCV, VOC devkit).

mmdet's reader ignores difficult objects in training too, skips labels it does not know, and cuts coordinates to
integers; a truncated JPEG becomes a half grey image, and a size that is not the image's goes unnoticed. Here each of
these is kept, or an error that names the file.
"""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from mmdet.datasets import XMLDataset

from trick_transfer.engine.images import size_px, usable

from .registry import DATASETS


def number(found: ET.Element, field: str, kind: type = int, default: str = "") -> Any:
    """A field of a VOC XML; raises ValueError that names one that is missing, empty or no number."""
    text = found.findtext(field, default)
    try:
        return kind(text)
    except ValueError:
        reason = f"is {text.strip()!r}, not a number" if text.strip() else "is missing or empty"
        raise ValueError(f"<{field}> {reason}") from None


def box_of(found: ET.Element, width: int, height: int) -> list[float]:
    """x1, y1, x2, y2 from 0 (VOC counts pixels from 1); raises ValueError for a box that leaves its image."""
    x1, y1, x2, y2 = (number(found, f"bndbox/{side}", float) - 1 for side in ("xmin", "ymin", "xmax", "ymax"))
    if not (0 <= x1 < x2 < width and 0 <= y1 < y2 < height):
        box = ", ".join(f"{side + 1:g}" for side in (x1, y1, x2, y2))
        raise ValueError(f"the box ({box}) is empty or leaves its image of {width} x {height} pixels")
    return [x1, y1, x2, y2]


def read_annotation(path: Path, classes: tuple[str, ...]) -> tuple[int, int, list[dict]]:
    """A VOC XML -> width, height, and a dict(bbox, bbox_label, difficult) per object; ValueErrors name the file."""
    try:
        root = ET.parse(path).getroot()
        width, height = (number(root, f"size/{side}") for side in ("width", "height"))
        objects = []
        for found in root.iter("object"):
            name = found.findtext("name", "").strip()
            if name not in classes:
                raise ValueError(f"label {name!r} is none of the {len(classes)} classes")
            difficult = number(found, "difficult", default="0")
            box = box_of(found, width, height)
            objects.append({"bbox": box, "bbox_label": classes.index(name), "difficult": difficult})
    except (OSError, ET.ParseError, ValueError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error
        raise ValueError(f"VOC annotation {path}: {reason}") from error
    return width, height, objects


@DATASETS.register_module()
class VOC(XMLDataset):
    """VOC-format images and boxes; the classes come from `metainfo`. `skip_broken` leaves broken JPEGs out."""

    def __init__(self, skip_broken: bool = False, **kwargs: object) -> None:
        self.skip_broken = skip_broken
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """One dict an image of the `ann_file`, in its order."""
        names = Path(self.ann_file).read_text().split()
        return [self.image(name) for name in names if usable(self.jpeg(name), self.skip_broken)]

    def jpeg(self, name: str) -> Path:
        return Path(self.sub_data_root, self.img_subdir, f"{name}.jpg")

    def image(self, name: str) -> dict:
        """What mmdet's transforms want to know about one image; raises ValueError if XML and JPEG differ in size."""
        xml = Path(self.sub_data_root, self.ann_subdir, f"{name}.xml")
        width, height, objects = read_annotation(xml, self.metainfo["classes"])
        own = size_px(self.jpeg(name))
        if own != (width, height):
            raise ValueError(f"VOC annotation {xml} is of {width} x {height} pixels, its JPEG {own[0]} x {own[1]}")
        for found in objects:
            found["ignore_flag"] = int(self.test_mode and found.pop("difficult") == 1)
        paths = {"img_id": name, "img_path": str(self.jpeg(name)), "xml_path": str(xml)}
        return {**paths, "width": width, "height": height, "instances": objects}
