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

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from pycocotools import mask
from scipy.sparse import csr_array

from trick_transfer.engine.stage import Arrays

VOC_IOU = 0.5
COCO_IOUS = np.linspace(0.5, 0.95, 10)
VOC07_LEVELS = np.arange(0, 1.001, 0.1)  # of recall, as in mmdet's `average_precision`, to the last bit
COCO_LEVELS = np.linspace(0, 1, 101)
FALSE, TRUE, IGNORED = 0, 1, 2
SHIFTS = 2 * np.arange(1 + len(COCO_IOUS), dtype=np.uint32)
ANY_TRUE = np.bitwise_or.reduce(np.uint32(TRUE) << SHIFTS)


class Curve(NamedTuple):
    """The true positives of one class in one matching, best first. Only they can raise precision."""

    images: np.ndarray  # (T,) the image of each
    places: np.ndarray  # (T,) its row of `Ranked.between`
    ignored: csr_array | None  # (T, images) ignored detections between the previous true positive and this one, if any


class Ranked(NamedTuple):
    """One class. Which detections were found so far is the same in all matchings, so it is counted once."""

    between: csr_array  # (K, images) detections after the previous one that is true in any matching, up to this one
    truths: np.ndarray  # (images,) truths that are not difficult
    curves: tuple[Curve, ...]  # one a matching


def hits_and_envelopes(ranked: Ranked, weights: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(images, rounds) weights -> (T, rounds) each: the hits at each true positive, the best precision from there."""
    ranks = accumulated(ranked.between @ weights, np.add)
    for curve in ranked.curves:
        hits, found = accumulated(weights[curve.images], np.add), ranks[curve.places]
        if curve.ignored is not None:
            found -= accumulated(curve.ignored @ weights, np.add)
        precision = hits / np.maximum(found, np.finfo(float).tiny)  # no hit where nothing is found
        yield hits, accumulated(precision[::-1], np.maximum)[::-1]


def accumulated(rows: np.ndarray, step: np.ufunc) -> np.ndarray:
    """`step.accumulate(rows, 0)`, in place: row by row it takes a third of the time."""
    for place in range(1, len(rows)):
        step(rows[place - 1], rows[place], out=rows[place])
    return rows


def voc_curve(ranked: Ranked) -> tuple[np.ndarray, np.ndarray, float]:
    """Recall and best precision (T,) over all images at VOC's IoU of 0.5, and the 11-point average, 0 to 1."""
    truths = np.array([ranked.truths.sum()])
    hits, envelope = next(hits_and_envelopes(ranked, np.ones((len(ranked.truths), 1))))
    (average,) = average_precision(share_of(VOC07_LEVELS, truths)(hits), envelope)
    return hits[:, 0] / truths, envelope[:, 0], float(average)


def precision_at(recall: np.ndarray, envelope: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The best precision at each level of recall or a higher one; 0 where no recall reaches it."""
    return np.append(envelope, 0.0)[np.searchsorted(recall, levels)]


def average_precisions(classes: Sequence[Ranked], weights: np.ndarray) -> Arrays:
    """(images, rounds) whole numbers -> map_voc07, map_area and map_coco in percent, of the classes with a truth."""
    found: dict[str, list[np.ndarray]] = {"map_voc07": [], "map_area": [], "map_coco": []}
    for ranked in classes:
        counted = ranked.truths @ weights
        absent, truths = np.where(counted > 0, 0, np.nan), np.maximum(counted, 1)  # rounds without this class
        (hits, envelope), *coco = hits_and_envelopes(ranked, weights)
        found["map_voc07"].append(absent + average_precision(share_of(VOC07_LEVELS, truths)(hits), envelope))
        found["map_area"].append(absent + average_precision(hits / truths, envelope))
        share = share_of(COCO_LEVELS, truths)
        found["map_coco"] += [absent + average_precision(share(hits), envelope) for hits, envelope in coco]
    return {name: 100 * np.nanmean(values, 0) for name, values in found.items()}


def share_of(levels: np.ndarray, truths: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """(rounds,) truths -> a function of (T, rounds) hits: the share of the levels that recall, hits / truths, reaches.

    It is looked up: there are few numbers of truths and hits, and to search among the levels takes 30 times longer.
    """
    distinct, place = np.unique(truths, return_inverse=True)
    width = int(distinct[-1]) + 1
    table = np.searchsorted(levels, np.arange(width) / distinct[:, None], side="right") / len(levels)
    return lambda hits: table.take(hits.astype(np.intp) + width * place)


def average_precision(reached: np.ndarray, envelope: np.ndarray) -> np.ndarray:
    """(T, rounds) each -> (rounds,) in 0 to 1.

    The mean of the precision's envelope over levels of recall, of which a share is reached; with recall itself as
    `reached`, the area under it.
    """
    return (envelope[:1] * reached[:1]).sum(0) + (envelope[1:] * (reached[1:] - reached[:-1])).sum(0)


def ranked_classes(arrays: Arrays) -> list[Ranked]:
    """Each class that has a truth. Raises LookupError or ValueError for arrays that are none of `ranking`."""
    images = np.cumsum(arrays["ranked_images"], dtype=arrays["ranked_images"].dtype)
    for image in (images.min(initial=0), images.max(initial=0)):  # of others SciPy would read beyond the weights
        if not 0 <= image < arrays["truths"].shape[1]:
            raise ValueError(f"image {image} is ranked, of {arrays['truths'].shape[1]}")
    edges = np.cumsum([0, *arrays["class_counts"]])
    return [
        ranked_class(images[start:end], arrays["ranked_states"][start:end], truths.astype(float))
        for (start, end), truths in zip(pairwise(edges), arrays["truths"], strict=True)
    ]


def ranked_class(image: np.ndarray, states: np.ndarray, truths: np.ndarray) -> Ranked:
    """Of each detection's image and states, best first."""
    any_true = states & ANY_TRUE > 0

    def counted(chosen: np.ndarray, ends: np.ndarray) -> csr_array:
        """(ends, images): how many of the `chosen` detections lie after the previous one of the `ends`, up to this."""
        last = np.flatnonzero(ends)
        before = np.concatenate([[0], np.cumsum(chosen)[last]])
        within = image[chosen][: before[-1]]
        return csr_array((np.ones(len(within)), within, before), shape=(len(last), len(truths)))

    curves = []
    for shift in SHIFTS:
        state = states >> shift & 3
        true = state == TRUE
        ignored = state == IGNORED
        between = counted(ignored, true) if ignored.any() else None
        curves.append(Curve(image[true], np.flatnonzero(true[any_true]), between))
    return Ranked(counted(np.ones_like(any_true), any_true), truths, tuple(curves))


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
