"""Crops, flip and colour of sec. 2.1, on uint8 RGB arrays (H, W, 3) with OpenCV, one image at a time in the workers.

The order is the paper's; all randomness comes from NumPy's global generator, which `engine.Seeded` seeds per sample.
What is affine in the pixels (PCA noise, normalisation) runs on the device. On one core the jitter of a 224 px image
takes 0.2 ms in uint8; some forty float operations over a batch would take longer.
"""

from collections.abc import Callable

import cv2
import numpy as np
import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from trick_transfer.engine.jpeg import Jpeg

from .registry import MODELS

Image = np.ndarray
Source = np.ndarray | Jpeg
# AlexNet's principal components of ImageNet's RGB, in 0..255 units (Krizhevsky et al. 2012; GluonCV's values)
EIGENVALUES = (55.46, 4.794, 1.148)
EIGENVECTORS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))
TRIES = 10
LEVELS = np.arange(256, dtype=np.uint8)
INTERPOLATIONS = {  # by mmcv's names
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos": cv2.INTER_LANCZOS4,
}


def region(image: Source, area: tuple[float, float], aspect: tuple[float, float], swaps: bool) -> Image | None:
    """A region of random area and aspect, or None if none fits in TRIES; `swaps`: half of the time with swapped sides.

    The aspect is uniform, as the paper's text and its authors' code have it (torchvision draws its logarithm).
    """
    height, width = image.shape[:2]
    for _ in range(TRIES):
        pixels = height * width * np.random.uniform(*area)
        ratio = np.random.uniform(*aspect)
        w, h = round((pixels * ratio) ** 0.5), round((pixels / ratio) ** 0.5)
        if swaps and np.random.random() < 0.5:
            w, h = h, w
        if 0 < w <= width and 0 < h <= height:
            x, y = np.random.randint(width - w + 1), np.random.randint(height - h + 1)
            return image[y : y + h, x : x + w]
    return None


def random_crop(
    image: Source, size_px: int, area: tuple[float, float], aspect: tuple[float, float], interpolation: str = "bilinear"
) -> Image:
    """Step 2: a region of random area and aspect, or the largest square in the middle, as (size_px, size_px, 3)."""
    found = region(image, area, aspect, swaps=False)
    if found is None:
        side = min(image.shape[:2])
        y, x = ((length - side) // 2 for length in image.shape[:2])
        found = image[y : y + side, x : x + side]
    return cv2.resize(found, (size_px, size_px), interpolation=INTERPOLATIONS[interpolation])


def center_crop(image: Source, size_px: int, shorter_px: int, interpolation: str = "bilinear") -> Image:
    """Validation: the shorter edge to `shorter_px`, then the middle (size_px, size_px, 3)."""
    height, width = image.shape[:2]
    scale = shorter_px / min(height, width)
    w, h = max(size_px, round(width * scale)), max(size_px, round(height * scale))
    whole = cv2.resize(image[:, :], (w, h), interpolation=INTERPOLATIONS[interpolation])
    x, y = (w - size_px) // 2, (h - size_px) // 2
    return whole[y : y + size_px, x : x + size_px]


def authors_crop(
    image: Source, size_px: int, area: tuple[float, float], aspect: tuple[float, float], interpolation: str = "bilinear"
) -> Image:
    """Step 2 in the authors' code (MXNet image_aug_default.cc): sides are swapped half of the time, and where no region
    fits, the middle (size_px, size_px) pixels are taken as they are, of a small image after enlarging it.
    """
    found = region(image, area, aspect, swaps=True)
    if found is None:
        return center_crop(image, size_px, max(size_px, min(image.shape[:2])), interpolation)
    return cv2.resize(found, (size_px, size_px), interpolation=INTERPOLATIONS[interpolation])


CROPS: dict[str, Callable[..., Image]] = {"random": random_crop, "authors": authors_crop, "center": center_crop}


def scale_hsv(image: Image, hue: float, saturation: float, value: float) -> Image:
    """Step 4, "scale hue, saturation, and brightness" by three coefficients.

    Hue is an angle: a product would tear the reds, which lie on both sides of 0, apart. It is turned by
    (hue - 1) x 180 degrees, as MXNet's `HueJitterAug` does for a coefficient drawn around 0.
    """
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)  # hue in 180 steps; 256 steps take twice the time
    turned = ((LEVELS[:, None] + np.rint((hue - 1) * 90)) % 180).astype(np.uint8)
    table = cv2.merge((turned, *(cv2.convertScaleAbs(LEVELS, alpha=share) for share in (saturation, value))))
    return cv2.cvtColor(cv2.LUT(hsv, table), cv2.COLOR_HSV2RGB)


def scale_authors(image: Image, brightness: float, contrast: float, saturation: float) -> Image:
    """The authors' code (MXNet image_aug_default.cc): brightness, contrast, saturation, in random order, no hue."""
    for i in np.random.permutation(3):  # towards black, the image's mean grey, each pixel's own grey
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        mean = round(float(grey.mean())) if i == 1 else 0
        other = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB) if i == 2 else np.full_like(image, mean)
        share = (brightness, contrast, saturation)[i]
        image = cv2.addWeighted(image, share, other, 1 - share, 0)
    return image


JITTERS: dict[str, Callable[..., Image]] = {"hsv": scale_hsv, "authors": scale_authors}


def jitter(image: Image, form: str, low: float, high: float) -> Image:
    """Step 4: three coefficients drawn uniformly from [low, high]."""
    return JITTERS[form](image, *np.random.uniform(low, high, 3))


@MODELS.register_module()
class PixelScaler(BaseDataPreprocessor):
    """Steps 5 and 6 on the device: uint8 (N, H, W, 3) -> float (N, 3, H, W), PCA noise in training, normalised.

    All is in RGB; `bgr` turns the result round, for weights that take it so.
    """

    def __init__(
        self,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        pca_std: float,
        pca_clipped: bool = False,
        bgr: bool = False,
    ) -> None:
        super().__init__(non_blocking=True)  # the host goes on while a batch travels from pinned memory
        self.pca_std, self.pca_clipped = pca_std, pca_clipped  # clipped: as the authors' code, which adds it to uint8
        self.bgr = bgr
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)
        # a coefficient of 1 moves a pixel by one eigenvalue along its eigenvector
        directions = torch.tensor(EIGENVECTORS) * torch.tensor(EIGENVALUES)
        self.register_buffer("directions", directions, persistent=False)

    def forward(self, data: dict, training: bool = False) -> dict:
        data = self.cast_data(data)
        return data | {"inputs": self.normalise(data["inputs"], training)}

    def normalise(self, images: Tensor, training: bool) -> Tensor:
        """(x + noise - mean) / std, as one multiplication and one addition a pixel."""
        shift = -self.mean.expand(len(images), 3)
        if training and self.pca_std:
            noise = torch.randn(len(images), 3, device=images.device) * self.pca_std @ self.directions.T
            if self.pca_clipped:
                images = (images + noise[:, None, None]).round_().clamp_(0, 255)
            else:
                shift = shift + noise
        # by whole rows of pixels: an innermost loop over 3 channels is five times slower
        width, pixels = images.shape[2], images.flatten(2)
        scale, shift = (1 / self.std).repeat(width), (shift / self.std).repeat(1, width)[:, None]
        rows = torch.empty(pixels.shape, device=images.device)
        at_once = 1 if images.is_cpu else len(images)  # one image fits into a processor's cache
        for part in zip(*(each.split(at_once) for each in (rows, pixels, shift)), strict=True):
            part[0].copy_(part[1]).mul_(scale).add_(part[2])
        normalised = rows.view(images.shape).permute(0, 3, 1, 2)  # of a view, which is in channels_last
        return normalised.flip(1) if self.bgr else normalised
