"""Predictions drawn on images while a stage trains, for any tracker. Pictures are RGB (H, W, 3) uint8."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

HEIGHT_PX = 192
GREEN, WHITE, BLACK = (0, 200, 80), (255, 255, 255), (0, 0, 0)


def photo(path: str | Path) -> np.ndarray:
    """An image file as it is stored."""
    with Image.open(path) as file:
        return np.asarray(file.convert("RGB"))


def fit(image: np.ndarray) -> np.ndarray:
    """Resize an image to the common height."""
    return cv2.resize(image, (round(image.shape[1] * HEIGHT_PX / len(image)), HEIGHT_PX))


def cover(image: np.ndarray, mask: np.ndarray, classes: int) -> np.ndarray:
    """Cover an image with one half-transparent colour per class, of evenly spaced hues."""
    hue = (mask.astype(np.float32) * 180 / classes).astype(np.uint8)
    colours = cv2.cvtColor(np.dstack([hue, np.full_like(hue, 200), np.full_like(hue, 230)]), cv2.COLOR_HSV2RGB)
    return cv2.addWeighted(image, 0.5, colours, 0.5, 0)


def frame(picture: np.ndarray, corners: Sequence[int], text: str) -> None:
    """Draw a box x1, y1, x2, y2 with its label, in place."""
    x1, y1, x2, y2 = corners
    cv2.rectangle(picture, (x1, y1), (x2, y2), GREEN, 1)
    write(picture, text, (x1 + 2, y1 + 12))


def write(picture: np.ndarray, text: str, place: tuple[int, int] = (4, 14)) -> np.ndarray:
    """Write white letters with a dark edge, in place."""
    for colour, width in ((BLACK, 3), (WHITE, 1)):
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, width, cv2.LINE_AA)
    return picture
