"""ADE20K's scene parsing (Zhou et al. 2017), read strictly: missing, truncated and out-of-range data are errors.

mmseg's reader wraps values beyond a byte, OpenCV half-reads a truncated JPEG, and neither detects a mask of another
size than its image if a crop fits into both. Masks are index PNGs: raw 0 is "other", which is ignored, and raw k is
class k - 1 (mmseg calls that `reduce_zero_label`).
"""

from pathlib import Path

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.datasets import ADE20KDataset, BaseSegDataset
from PIL import Image

from trick_transfer.engine.images import usable
from trick_transfer.engine.pictures import IGNORED

from .registry import DATASETS, TRANSFORMS

LAYOUT = "ADEChallengeData2016/{images,annotations}/{training,validation}/*.{jpg,png}"


def pairs(images: Path, masks: Path) -> list[tuple[Path, Path]]:
    """Every JPEG of `images` with its mask; raises FileNotFoundError if there are no images or a mask is missing."""
    found = [(image, masks / f"{image.stem}.png") for image in sorted(images.glob("*.jpg"))]
    if not found:
        raise FileNotFoundError(f"no image in {images}; the data root must hold {LAYOUT}")
    named = {mask.name for mask in masks.glob("*.png")}
    missing = [mask for _, mask in found if mask.name not in named]
    if missing:
        raise FileNotFoundError(f"{len(missing)} of {len(found)} images have no mask; the first is {missing[0]}")
    return found


@DATASETS.register_module()
class ADE20K(BaseSegDataset):
    """Images and masks; `metainfo` replaces ADE20K's 150 classes. `skip_broken` leaves broken JPEGs out."""

    METAINFO = {"classes": ADE20KDataset.METAINFO["classes"]}

    def __init__(self, skip_broken: bool = False, **kwargs: object) -> None:
        self.skip_broken = skip_broken
        super().__init__(reduce_zero_label=True, ignore_index=IGNORED, **kwargs)

    @classmethod
    def get_label_map(cls, new_classes: object = None) -> None:
        """None: the classes of `metainfo` are the mask's own, so nothing is mapped."""
        return None

    def load_data_list(self) -> list[dict]:
        folders = (Path(self.data_prefix[key]) for key in ("img_path", "seg_map_path"))
        labels = dict(num_classes=len(self.metainfo["classes"]), reduce_zero_label=True)
        whole = [(image, mask) for image, mask in pairs(*folders) if usable(image, self.skip_broken)]
        if not whole:
            raise ValueError(f"every JPEG of {self.data_prefix['img_path']} is broken")
        return [labels | dict(img_path=str(image), seg_map_path=str(mask), seg_fields=[]) for image, mask in whole]


def read_mask(path: str) -> np.ndarray:
    """(H, W) as stored (OpenCV would turn a palette's indices into colours). Raises ValueError that names the file."""
    try:
        with Image.open(path) as image:
            return np.asarray(image)
    except (OSError, SyntaxError) as error:  # Pillow raises SyntaxError for a broken PNG
        raise ValueError(f"mask {path} cannot be read: {error}") from error


@TRANSFORMS.register_module()
class LoadMask(BaseTransform):
    """`gt_seg_map`: (H, W) uint8 of the classes from 0, 255 where the raw mask is 0. Raises ValueError for misfits."""

    def transform(self, results: dict) -> dict:
        raw = read_mask(results["seg_map_path"])
        height, width = results["ori_shape"]
        if raw.shape != (height, width):
            shape = " x ".join(map(str, raw.shape))
            raise ValueError(f"mask {results['seg_map_path']} is {shape}, its image {height} x {width}")
        if raw.min() < 0 or raw.max() > results["num_classes"]:
            wrong = raw.max() if raw.max() > results["num_classes"] else raw.min()
            raise ValueError(f"mask {results['seg_map_path']} holds {wrong}; expected 0 to {results['num_classes']}")
        results["gt_seg_map"] = raw.astype(np.uint8) - np.uint8(1)  # 0 wraps round to 255, which is IGNORED
        results["seg_fields"].append("gt_seg_map")
        return results


@TRANSFORMS.register_module()
class RandomBlur(BaseTransform):
    """A Gaussian blur of sigma U(0, max_sigma_px), with probability `prob`."""

    def __init__(self, prob: float, max_sigma_px: float) -> None:
        self.prob, self.max_sigma_px = prob, max_sigma_px

    def transform(self, results: dict) -> dict:
        if np.random.random() < self.prob:
            sigma = self.max_sigma_px * (1 - np.random.random())  # never 0, for which OpenCV chooses sigma
            results["img"] = cv2.GaussianBlur(results["img"], (0, 0), sigma)
        return results
