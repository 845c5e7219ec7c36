"""Pixels by true and by predicted class, as (classes, classes) arrays, and what is stored of them."""

from collections.abc import Sequence

import numpy as np


def count(confusion: np.ndarray) -> np.ndarray:
    """(classes, classes) -> (3, classes): the correct, the predicted and the true pixels of each class."""
    return np.stack([confusion.diagonal(), confusion.sum(0), confusion.sum(1)])


def filled(confusion: np.ndarray) -> np.ndarray:
    """(classes, classes) -> (n, 3): true class, predicted class and pixels, where there are any."""
    true, predicted = confusion.nonzero()
    return np.column_stack([true, predicted, confusion[true, predicted]])


def summed(some: Sequence[np.ndarray], num_classes: int) -> np.ndarray:
    """Some images' `filled` -> (classes, classes)."""
    confusion = np.zeros((num_classes, num_classes), np.int64)
    for true, predicted, pixels in (pairs.T for pairs in some):
        confusion[true, predicted] += pixels
    return confusion


def check(pairs: np.ndarray, counts: np.ndarray) -> None:
    """Raise ValueError unless `filled` pairs of some images have their counts (images, 3, classes)."""
    known = counts.sum(0, dtype=np.int64)
    if (pairs[:, 2] <= 0).any() or (count(summed([pairs], known.shape[1])) != known).any():
        raise ValueError("the confused pixels are not those of the counts")
