"""Average precision of weighted images, from the ranking of a run's detections instead of their boxes.

Detections are matched to truths once, image by image, in eleven ways. VOC as its devkit (and mmdet's `eval_map`): a
detection claims the truth it overlaps most, at IoU 0.5, sides counted as x2 - x1 + 1, difficult truths ignored. COCO as
pycocotools, for areas of any size: a detection takes the free truth it overlaps most, at ten IoUs; difficult truths are
crowds. From the stored arrays every precision can be recomputed, to the last bit and under any weights of images:

- `class_labels` (C,), `class_counts` (C,): the classes that have a truth which is not difficult, and the number of
  ranked detections of each; `truths` (C, images): the number of such truths in each image.
- `ranked_images`: the image of each detection, best first, class by class, as the difference to the previous one
  modulo the integer's size. To keep the file small, detections after a class's last true positive are left out, and
  those between two true positives are sorted by image; no precision depends on either.
- `ranked_states` uint32: the eleven states of each detection, two bits per matching, VOC's lowest, then COCO's by IoU.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from pycocotools import mask
from scipy.sparse import coo_array, csr_array

from trick_transfer.engine.stage import Arrays

VOC_IOU = 0.5
COCO_IOUS = np.linspace(0.5, 0.95, 10)
FALSE, TRUE, IGNORED = 0, 1, 2
SHIFTS = 2 * np.arange(1 + len(COCO_IOUS), dtype=np.uint32)
ANY_TRUE = np.bitwise_or.reduce(np.uint32(TRUE) << SHIFTS)


class Curve(NamedTuple):
    """The true positives of one class at one IoU, best first. Only they can raise precision: others are counted."""

    images: np.ndarray  # (T,) the image of each
    between: csr_array  # (T, images) false positives ranked between the previous true positive and this one
    truths: np.ndarray  # (images,) truths that are not difficult


def recall_and_envelope(curve: Curve, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(images, rounds) weights -> (T, rounds) each: the recall at each true positive, the best precision from there."""
    hits = np.cumsum(weights[curve.images], 0)
    found = hits + np.cumsum(curve.between @ weights, 0)
    precision = np.divide(hits, found, out=np.zeros(hits.shape), where=found > 0)
    recall = hits / np.maximum(curve.truths @ weights, 1)
    return recall, np.maximum.accumulate(precision[::-1], 0)[::-1]


def precision_at(curve: Curve, levels: np.ndarray) -> np.ndarray:
    """The best precision over all images at each level of recall or a higher one; 0 where no recall reaches it."""
    recall, envelope = (each[:, 0] for each in recall_and_envelope(curve, np.ones((len(curve.truths), 1))))
    return np.append(envelope, 0.0)[np.searchsorted(recall, levels)]


def average_precision(curve: Curve, weights: np.ndarray, levels: np.ndarray | None) -> np.ndarray:
    """(images, rounds) weights -> (rounds,) in 0 to 1; nan in rounds without a truth.

    The mean of the precision's envelope over levels of recall, or without levels the area under it.
    """
    recall, envelope = recall_and_envelope(curve, weights)
    reached = recall if levels is None else np.searchsorted(levels, recall, side="right") / len(levels)
    area = (envelope * np.diff(reached, axis=0, prepend=0)).sum(0)
    return np.where(curve.truths @ weights > 0, area, np.nan)


def curves(arrays: Arrays) -> list[list[Curve]]:
    """The curves of each class in the eleven matchings."""
    images = np.cumsum(arrays["ranked_images"], dtype=arrays["ranked_images"].dtype)
    edges = np.cumsum([0, *arrays["class_counts"]])
    return [
        [make_curve(images[start:end], arrays["ranked_states"][start:end] >> shift & 3, truths) for shift in SHIFTS]
        for (start, end), truths in zip(pairwise(edges), arrays["truths"], strict=True)
    ]


def make_curve(image: np.ndarray, state: np.ndarray, truths: np.ndarray) -> Curve:
    """The curve of each detection's image and state, best first."""
    image, true = image[state != IGNORED], state[state != IGNORED] == TRUE
    before = np.cumsum(true)  # true positives so far: the row of a false positive
    counted = ~true & (before < true.sum())
    places = before[counted], image[counted]
    between = coo_array((np.ones(counted.sum()), places), shape=(true.sum(), len(truths))).tocsr()
    return Curve(image[true], between, truths.astype(float))


def ranking(images: list[Arrays]) -> Arrays:
    """The arrays described above, from each image's boxes, scores, labels, gt_boxes, gt_labels and gt_difficult."""
    scores, labels = (np.concatenate([image[key] for image in images]) for key in ("scores", "labels"))
    image = np.repeat(np.arange(len(images)), [len(each["scores"]) for each in images])
    states = np.concatenate([np.bitwise_or.reduce(match(each).astype(np.uint32) << SHIFTS[:, None]) for each in images])
    easy = [each["gt_labels"][~each["gt_difficult"]] for each in images]
    classes = np.unique(np.concatenate(easy))
    truths = np.array([[(of == c).sum() for of in easy] for c in classes], int).reshape(-1, len(images))
    of_classes = [np.flatnonzero(labels == c) for c in classes]
    ranked = [own[order(scores[own], image[own], states[own])] for own in of_classes]
    every = np.concatenate([*ranked, np.array([], int)])
    return {
        "class_labels": classes.astype(np.int16),
        "class_counts": np.array([len(each) for each in ranked], int),
        "truths": truths.astype(np.min_scalar_type(truths.max(initial=0))),
        "ranked_images": np.diff(image[every], prepend=0).astype(np.min_scalar_type(len(images) - 1)),
        "ranked_states": states[every],
    }


def order(scores: np.ndarray, image: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Indices of one class's detections as they are stored: best first, between two true positives by image."""
    best = np.argsort(-scores, kind="stable")
    true = states[best] & ANY_TRUE > 0
    run = np.cumsum(true)
    best = best[np.lexsort((states[best], image[best], ~true, run))]
    return best[: np.flatnonzero(true).max(initial=-1) + 1]  # sorting within runs moves no true positive


def match(image: Arrays) -> np.ndarray:
    """(11, D) states of one image's detections; FALSE for a class without a truth in the image."""
    states = np.full((len(SHIFTS), len(image["scores"])), FALSE)
    for label in np.unique(image["gt_labels"]):
        truth = image["gt_labels"] == label
        found = np.flatnonzero(image["labels"] == label)
        found = found[np.argsort(-image["scores"][found], kind="stable")]
        if len(found):
            pair = image["boxes"][found], image["gt_boxes"][truth], image["gt_difficult"][truth]
            states[:, found] = np.concatenate([match_voc(*pair), match_coco(*pair)])
    return states


def match_voc(boxes: np.ndarray, truths: np.ndarray, difficult: np.ndarray) -> np.ndarray:
    """(1, D) states of one image's detections (D, 4), best first, with the truths (G, 4) of their class."""
    state = np.full((1, len(boxes)), FALSE)
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
    overlap = mask.iou(corner_and_sides(boxes), corner_and_sides(truths), difficult.tolist())
    for state, least in zip(states, COCO_IOUS, strict=True):
        free = ~difficult
        for place in np.flatnonzero(overlap.max(1) >= least):
            close = overlap[place] >= least
            if (close & free).any():
                best = overlap[place].max(where=close & free, initial=0)
                free[np.flatnonzero(free & (overlap[place] == best))[-1]] = False  # the last of equals
                state[place] = TRUE
            elif (close & difficult).any():
                state[place] = IGNORED
    return states


def corner_and_sides(boxes: np.ndarray) -> np.ndarray:
    """x1, y1, x2, y2 -> x1, y1, width, height, as pycocotools takes them."""
    return np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).astype(float)
