"""ADE20K's scene parsing (Zhou et al. 2017), read strictly: missing, truncated and out-of-range data are errors.

mmseg's reader wraps values beyond a byte, OpenCV half-reads a truncated JPEG, and neither detects a mask of another
size than its image if a crop fits into both. Masks are index PNGs, see `masks`.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.datasets import ADE20KDataset, BaseSegDataset

from trick_transfer.engine.images import usable
from trick_transfer.engine.pictures import IGNORED

from .layout import pairs
from .masks import READING, Ids, read_mask
from .registry import DATASETS, TRANSFORMS


@DATASETS.register_module()
class ADE20K(BaseSegDataset):
    """Images and masks; `metainfo` replaces ADE20K's 150 classes. `skip_broken` leaves broken images out.

    Data other than ADE20K say how masks are read: `first_class` is the raw value of the first class, 0 or 1, and
    `ignore` the one that means no class, or None.
    """

    METAINFO = {"classes": ADE20KDataset.METAINFO["classes"]}

    def __init__(self, skip_broken: bool = False, first_class: Any = ..., ignore: Any = ..., **kwargs: object) -> None:
        self.skip_broken = skip_broken
        said = zip(READING, (first_class, ignore), strict=True)
        self.ids = Ids.of({key: value for key, value in said if value is not ...})
        super().__init__(reduce_zero_label=True, ignore_index=IGNORED, **kwargs)

    @classmethod
    def get_label_map(cls, new_classes: object = None) -> None:
        """None: the classes of `metainfo` are the mask's own, so nothing is mapped."""
        return None

    def load_data_list(self) -> list[dict]:
        folders = (Path(self.data_prefix[key]) for key in ("img_path", "seg_map_path"))
        labels = dict(num_classes=len(self.metainfo["classes"]), reduce_zero_label=True, ids=self.ids)
        whole = [(image, mask) for image, mask in pairs(*folders) if usable(image, self.skip_broken)]
        if not whole:
            raise ValueError(f"every image of {self.data_prefix['img_path']} is broken")
        return [labels | dict(img_path=str(image), seg_map_path=str(mask), seg_fields=[]) for image, mask in whole]


@TRANSFORMS.register_module()
class LoadMask(BaseTransform):
    """`gt_seg_map`: (H, W) uint8 of the classes from 0, 255 for none, by `ids`. Raises ValueError for misfits."""

    def transform(self, results: dict) -> dict:
        raw = read_mask(results["seg_map_path"], results["ori_shape"])
        results["ids"].check(raw, results["num_classes"], results["seg_map_path"])
        results["gt_seg_map"] = results["ids"].classes(raw)
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
