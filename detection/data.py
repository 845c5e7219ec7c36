"""Pascal VOC, read strictly: difficult objects are trained on, and ignored in evaluation (GluonCV, VOC devkit).

mmdet's reader ignores difficult objects in training too, skips unknown labels, truncates coordinates to integers, reads
a truncated JPEG as a half grey image, does not compare an annotation's size with its image, and turns images by EXIF
but not their boxes. Here difficult objects and coordinates are kept, an image is turned only if its XML states the
turned size, and the rest are errors that name the file.
"""

from pathlib import Path

from mmcv.transforms import LoadImageFromFile
from mmdet.datasets import XMLDataset
from mmdet.datasets.transforms import RandomFlip

from trick_transfer.engine.images import by_name, usable
from trick_transfer.engine.split import refuse
from trick_transfer.engine.values import check_name

from .annotation import BAD_BOXES, read_annotation
from .layout import read_list
from .registry import DATASETS, TRANSFORMS

FIX = "correct the files (tools/data.py check names all), or set bad_boxes='drop' or 'clip'"


@DATASETS.register_module()
class VOC(XMLDataset):
    """VOC-format images and boxes; the classes come from `metainfo`.

    `skip_broken` leaves broken images out; `bad_boxes`, one of BAD_BOXES, says what to do with boxes that are empty or
    leave their image.
    """

    def __init__(self, skip_broken: bool = False, bad_boxes: str = "error", **kwargs: object) -> None:
        check_name("bad_boxes", bad_boxes, BAD_BOXES)
        self.skip_broken, self.bad_boxes = skip_broken, bad_boxes
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        folder = Path(self.sub_data_root, self.img_subdir)
        images, problems, found = by_name(folder), [], []
        for name in read_list(Path(self.ann_file)):
            image = images.get(name, folder / f"{name}.jpg")
            try:
                if size := usable(image, self.skip_broken):
                    found.append(self.sample(name, image, size))
            except ValueError as error:
                problems.append(str(error))
        refuse(problems, FIX)
        truths = (each for one in found for each in one["instances"] if not each["ignore_flag"])
        if self.test_mode and not any(truths):
            raise ValueError(f"no image of {self.ann_file} has an object that counts, so nothing can be scored")
        return found

    def sample(self, name: str, image: Path, stored: tuple[int, int]) -> dict:
        """The fields of one image that mmdet's transforms need."""
        xml, classes = Path(self.sub_data_root, self.ann_subdir, f"{name}.xml"), self.metainfo["classes"]
        _, width, height, objects, _ = read_annotation(xml, classes, image, stored, self.bad_boxes)
        instances = [
            {
                "bbox": each["bbox"] if self.test_mode else with_area(each["bbox"]),
                "bbox_label": classes.index(each["name"]),
                "ignore_flag": int(self.test_mode and each["difficult"] == 1),
            }
            for each in objects
        ]
        paths = {"img_id": name, "img_path": str(image), "xml_path": str(xml)}
        turned = (width, height) != stored
        return {**paths, "width": width, "height": height, "turned": turned, "instances": instances}


def with_area(box: list[float]) -> list[float]:
    """A box one pixel wide or high, half a pixel larger on both sides: mmdet's losses take the log of x2 - x1."""
    x1, y1, x2, y2 = box
    dx, dy = 0.5 * (x1 == x2), 0.5 * (y1 == y2)
    return [x1 - dx, y1 - dy, x2 + dx, y2 + dy]


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
