"""Pascal VOC, read strictly: difficult objects are trained on, and ignored in evaluation (GluonCV, VOC devkit).

mmdet's reader ignores difficult objects in training too, skips unknown labels, truncates coordinates to integers, reads
a truncated JPEG as a half grey image, does not compare an annotation's size with its image, and turns images by EXIF
but not their boxes. Here difficult objects and coordinates are kept, an image is turned only if its XML states the
turned size, and the rest are errors that name the file.

Boxes count pixels from 0 and include their last one (VOC devkit; GluonCV subtracts 1 from all four sides, too).
"""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from mmcv.transforms import LoadImageFromFile
from mmdet.datasets import XMLDataset
from mmdet.datasets.transforms import RandomFlip

from trick_transfer.engine.images import displayed_px, stored_px, usable

from .registry import DATASETS, TRANSFORMS


def number(found: ET.Element, field: str, kind: type = int, default: str = "") -> Any:
    """A number from a VOC XML; raises ValueError that names a field which is missing, empty or not a number."""
    text = found.findtext(field, default)
    try:
        return kind(text)
    except ValueError:
        reason = f"is {text.strip()!r}, not a number" if text.strip() else "is missing or empty"
        raise ValueError(f"<{field}> {reason}") from None


def box_of(found: ET.Element, width: int, height: int) -> list[float]:
    """x1, y1, x2, y2 from 0 (VOC counts pixels from 1); raises ValueError for a thin or outlying box."""
    x1, y1, x2, y2 = (number(found, f"bndbox/{side}", float) - 1 for side in ("xmin", "ymin", "xmax", "ymax"))
    if not (0 <= x1 < x2 < width and 0 <= y1 < y2 < height):
        box = ", ".join(f"{side + 1:g}" for side in (x1, y1, x2, y2))
        raise ValueError(f"the box ({box}) is thinner than 2 pixels or leaves its image of {width} x {height} pixels")
    return [x1, y1, x2, y2]


def size_of(root: ET.Element, jpeg: Path | None) -> tuple[int, int]:
    """Width and height of the pixels that the boxes count. Raises ValueError unless the JPEG has them, in either way.

    They are those of the stored pixels, as in all of VOC and without a <size>. Some tools annotate the displayed image.
    """
    if jpeg and root.find("size") is None:
        return stored_px(jpeg)
    width, height = (number(root, f"size/{side}") for side in ("width", "height"))
    # EXIF is read only where the stored size is not the stated one: a data set has thousands of images
    if jpeg and (width, height) != (own := stored_px(jpeg)) and (width, height) != (shown := displayed_px(jpeg)):
        exif = f", by EXIF turned to {shown[0]} x {shown[1]}" if shown != own else ""
        raise ValueError(f"<size> states {width} x {height} pixels, its JPEG has {own[0]} x {own[1]}{exif}")
    return width, height


def read_annotation(path: Path, classes: tuple[str, ...], jpeg: Path | None = None) -> tuple[int, int, list[dict]]:
    """A VOC XML -> width, height, and a dict(bbox, bbox_label, difficult) per object; a ValueError names the file."""
    try:
        root = ET.parse(path).getroot()
        width, height = size_of(root, jpeg)
        objects = []
        for found in root.iter("object"):
            name = found.findtext("name", "").strip()
            if name not in classes:
                raise ValueError(f"label {name!r} is not one of the {len(classes)} classes")
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
        names = Path(self.ann_file).read_text().split()
        return [self.image(name) for name in names if usable(self.jpeg(name), self.skip_broken)]

    def jpeg(self, name: str) -> Path:
        return Path(self.sub_data_root, self.img_subdir, f"{name}.jpg")

    def image(self, name: str) -> dict:
        """The fields of one image that mmdet's transforms need."""
        xml = Path(self.sub_data_root, self.ann_subdir, f"{name}.xml")
        width, height, objects = read_annotation(xml, self.metainfo["classes"], self.jpeg(name))
        for found in objects:
            found["ignore_flag"] = int(self.test_mode and found.pop("difficult") == 1)
        paths = {"img_id": name, "img_path": str(self.jpeg(name)), "xml_path": str(xml)}
        turned = (width, height) != stored_px(self.jpeg(name))
        return {**paths, "width": width, "height": height, "turned": turned, "instances": objects}


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """mmcv's reader, but the image is turned by EXIF only if its boxes are (`turned`)."""

    def transform(self, results: dict) -> dict | None:
        self.color_type = "color" if results["turned"] else "color_ignore_orientation"
        return super().transform(results)


@TRANSFORMS.register_module()
class FlipPixels(RandomFlip):
    """mmdet's horizontal flip, but of boxes that include their last pixel: x becomes W - 1 - x.

    mmdet and GluonCV take W - x, so that a flipped box lies one pixel to the right of its object. Before any resizing.
    """

    def _flip(self, results: dict) -> None:
        super()._flip(results)
        results["gt_bboxes"].translate_((-1, 0))
