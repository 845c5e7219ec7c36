"""JPEGs of ImageNet's most common size for benchmarks, cut from scikit-image's photographs."""

from pathlib import Path

import cv2
import numpy as np
import skimage.data

SHAPE = (375, 500)


def write_photos(folder: Path, count: int) -> None:
    """folder/train/photo/*.jpg."""
    source = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea(), skimage.data.rocket()]
    random = np.random.default_rng(0)
    (folder / "train" / "photo").mkdir(parents=True)
    for i in range(count):
        image = source[i % len(source)]
        side = random.uniform(0.6, 1.0)
        h, w = int(image.shape[0] * side), int(image.shape[1] * side)
        y, x = random.integers(image.shape[0] - h + 1), random.integers(image.shape[1] - w + 1)
        cut = cv2.resize(image[y : y + h, x : x + w, ::-1], SHAPE[::-1])
        cv2.imwrite(str(folder / "train" / "photo" / f"{i:04d}.jpg"), cut, [cv2.IMWRITE_JPEG_QUALITY, 90])
