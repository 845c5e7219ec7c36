"""Average precision of weighted images: detections are matched to truths once, image by image.

VOC as its devkit (and mmdet's `eval_map`): a detection claims the truth it overlaps most, at IoU 0.5, sides counted as
x2 - x1 + 1, difficult truths ignored. COCO as pycocotools, for areas of any size: of the truths still free it takes the
one it overlaps most, at ten IoUs; difficult truths are crowds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from pycocotools import mask
from scipy.sparse import coo_array, csr_array

Arrays = dict[str, np.ndarray]
Match = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
VOC_IOU = 0.5
COCO_IOUS = np.linspace(0.5, 0.95, 10)
TRUE, FALSE, IGNORED = 1, 0, -1


@dataclass(frozen=True)
class Curve:
    """The true positives of one class at one IoU, best first. Only they can raise precision: the rest is summed up."""

    images: np.ndarray  # (T,) the image of each
    between: csr_array  # (T, images) false positives ranked before it, and after the one before it
    truths: np.ndarray  # (images,) those that count


def average_precision(curve: Curve, weights: np.ndarray, levels: np.ndarray | None) -> np.ndarray:
    """(images, rounds) weights -> (rounds,) in 0 to 1; nan in rounds without a truth.

    It is the mean of the precision's envelope over levels of recall, or the area under it without levels.
    """
    truths = curve.truths @ weights
    hits = np.cumsum(weights[curve.images], 0)
    found = hits + np.cumsum(curve.between @ weights, 0)
    precision = np.divide(hits, found, out=np.zeros(hits.shape), where=found > 0)
    envelope = np.maximum.accumulate(precision[::-1], 0)[::-1]
    recall = hits / np.maximum(truths, 1)
    reached = recall if levels is None else np.searchsorted(levels, recall, side="right") / len(levels)
    area = (envelope * np.diff(reached, axis=0, prepend=0)).sum(0)
    return np.where(truths > 0, area, np.nan)


def make_curve(image: np.ndarray, scores: np.ndarray, state: np.ndarray, truths: np.ndarray) -> Curve:
    """From each detection's image, score and state; of equal scores the one that comes first is the better."""
    order = np.argsort(-scores, kind="stable")
    order = order[state[order] != IGNORED]
    image, true = image[order], state[order] == TRUE
    before = np.cumsum(true)  # true positives up to here: the row of a false positive
    counted = ~true & (before < true.sum())
    places = before[counted], image[counted]
    between = coo_array((np.ones(counted.sum()), places), shape=(true.sum(), len(truths))).tocsr()
    return Curve(image[true], between, truths.astype(float))


def curves(arrays: Arrays, match: Match) -> list[Curve]:
    """The curves of each class that has a truth which is not difficult; `match` tells the states, an IoU a row."""
    images = np.arange(len(arrays["image_ids"]))
    image, gt_image = np.repeat(images, arrays["counts"]), np.repeat(images, arrays["gt_counts"])
    made = []
    for label in np.unique(arrays["gt_labels"][~arrays["gt_difficult"]]):
        found, truth = (np.flatnonzero(arrays[key] == label) for key in ("labels", "gt_labels"))
        found = found[np.lexsort((-arrays["scores"][found], image[found]))]  # by image, best first
        own, gt_own, difficult = image[found], gt_image[truth], arrays["gt_difficult"][truth]
        boxes, gt_boxes = arrays["boxes"][found], arrays["gt_boxes"][truth]
        edges, gt_edges = (np.searchsorted(of, [*images, len(images)]) for of in (own, gt_own))
        states = [
            match(boxes[start:end], gt_boxes[gt_start:gt_end], difficult[gt_start:gt_end])
            for (start, end), (gt_start, gt_end) in zip(pairwise(edges), pairwise(gt_edges), strict=True)
        ]
        truths = np.bincount(gt_own[~difficult], minlength=len(images))
        made += [make_curve(own, arrays["scores"][found], state, truths) for state in np.concatenate(states, 1)]
    return made


def match_voc(boxes: np.ndarray, truths: np.ndarray, difficult: np.ndarray) -> np.ndarray:
    """(1, D) states of one image's detections (D, 4), best first, with the truths (G, 4) of their class."""
    state = np.full((1, len(boxes)), FALSE)
    if not len(boxes) or not len(truths):
        return state
    overlap = ious(boxes, truths)
    claimed, close = overlap.argmax(1), overlap.max(1) >= VOC_IOU
    state[0, close & difficult[claimed]] = IGNORED
    rivals = np.flatnonzero(close & ~difficult[claimed])
    _, first = np.unique(claimed[rivals], return_index=True)
    state[0, rivals[first]] = TRUE
    return state


def ious(boxes: np.ndarray, truths: np.ndarray) -> np.ndarray:
    """(D, 4), (G, 4) -> (D, G), sides counted as x2 - x1 + 1."""
    low = np.maximum(boxes[:, None, :2], truths[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], truths[None, :, 2:])
    shared = np.clip(high - low + 1, 0, None).prod(2)
    area, gt_area = ((each[:, 2:] - each[:, :2] + 1).prod(1) for each in (boxes, truths))
    return shared / (area[:, None] + gt_area - shared)


def match_coco(boxes: np.ndarray, truths: np.ndarray, difficult: np.ndarray) -> np.ndarray:
    """(10, D) states of one image's detections (D, 4), best first, with the truths (G, 4) of their class."""
    states = np.full((len(COCO_IOUS), len(boxes)), FALSE)
    if not len(boxes) or not len(truths):
        return states
    overlap = mask.iou(corner_and_sides(boxes), corner_and_sides(truths), difficult.tolist())
    for state, least in zip(states, COCO_IOUS, strict=True):
        free = ~difficult
        for place in np.flatnonzero(overlap.max(1) >= least):
            close = overlap[place] >= least
            if (close & free).any():
                best = overlap[place].max(where=close & free, initial=0)
                free[np.flatnonzero(free & (overlap[place] == best))[-1]] = False  # of equals the last
                state[place] = TRUE
            elif (close & difficult).any():
                state[place] = IGNORED
    return states


def corner_and_sides(boxes: np.ndarray) -> np.ndarray:
    """x1, y1, x2, y2 -> x1, y1, width, height, as pycocotools wants them."""
    return np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).astype(float)
