"""A run's metrics from its stored outputs, without GPU or model, over the images or over any weighting of them.

Matching is done once; a weighting (a bootstrap round) then costs a few matrix products. What the outputs hold is told
by the `metric.py` of each stage.
"""

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from trick_transfer.engine.files import file_sha256

from .detections import average_precision, curves, match_coco, match_voc
from .results import Result

Arrays = dict[str, np.ndarray]
Score = Callable[[np.ndarray], Arrays]
ECE_BINS = 15  # Guo et al., "On Calibration of Modern Neural Networks", 2017
TOLERANCE_PERCENT = 1e-4  # the detector's metric computes in single precision
VOC07_LEVELS = np.arange(0, 1.001, 0.1)  # as in mmdet's `average_precision`, to the last bit
COCO_LEVELS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Outputs:
    """A run's images, and their metrics as a function of weights: (images, rounds) -> percents (rounds,) by name."""

    images: np.ndarray  # what tells them apart: names, ids, or in classification the labels in order
    score: Score
    classes: dict[str, float]  # segmentation: IoU in percent by class

    @property
    def key(self) -> str:
        """Equal for runs scored on the same images."""
        return sha256("\n".join(map(str, self.images)).encode()).hexdigest()

    def metrics(self) -> dict[str, float]:
        """The metrics over all images."""
        return {name: float(values[0]) for name, values in self.score(np.ones((len(self.images), 1))).items()}


def read(path: Path, stage: str) -> Outputs:
    """A stage's outputs. Raises ValueError or OSError of one line that names the file."""
    try:
        with np.load(path) as stored:
            return READERS[stage]({name: stored[name] for name in stored.files})
    except (ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as fault:
        raise ValueError(f"{path}: no outputs of {stage}: {fault}") from None


def audit(result: Result, path: Path) -> tuple[Outputs | None, list[str]]:
    """A result's outputs if they are its own, and how they differ from what it says; reads nothing else."""
    if not path.is_file():
        return None, [f"{path} is missing"]
    found = file_sha256(path)
    if found != result.outputs_sha256:
        return None, [f"{path}: its sha256 is {found}, the result tells {result.outputs_sha256}"]
    try:
        outputs = read(path, result.stage)
    except (ValueError, OSError) as fault:
        return None, [str(fault)]
    faults = differences(result, outputs)
    return (None if faults else outputs), [f"{path}: {fault}" for fault in faults]


def differences(result: Result, outputs: Outputs) -> list[str]:
    """Where a result tells another number than its outputs."""
    images, found = len(outputs.images), outputs.metrics()
    lines = [f"{images} images, the result tells {result.samples_scored}"] if images != result.samples_scored else []
    return lines + [
        f"{name} is {found[name]:.6f}, the result tells {told:.6f}"
        for name, told in result.metrics.items()
        if name in found and abs(found[name] - told) > TOLERANCE_PERCENT
    ]


def classification(arrays: Arrays) -> Outputs:
    """top1, top5, and the expected calibration error in bins of equal width (the best logit against log_sum_exp)."""
    hits = arrays["ranked"] == arrays["labels"][:, None]
    confidence = np.exp(arrays["logits"][:, 0].astype(float) - arrays["log_sum_exp"])
    bins = np.clip(np.ceil(confidence * ECE_BINS) - 1, 0, ECE_BINS - 1)  # (low, high], as in the source
    gaps = (bins == np.arange(ECE_BINS)[:, None]) * (hits[:, 0] - confidence)
    columns = np.vstack([hits[:, 0], hits.any(1), gaps])

    def score(weights: np.ndarray) -> Arrays:
        top1, top5, *gaps = 100 * (columns @ weights) / weights.sum(0)
        return {"top1": top1, "top5": top5, "ece": np.abs(gaps).sum(0)}

    return Outputs(arrays["labels"], score, {})


def segmentation(arrays: Arrays) -> Outputs:
    """pix_acc, and miou over the classes that occur in truth or prediction (in a round: among the images drawn)."""
    hit, predicted, truth = np.moveaxis(arrays["counts"].astype(float), 0, 2)  # (classes, images) each
    union = predicted + truth - hit
    of_all = np.vstack([hit.sum(0), truth.sum(0)])

    def iou(weights: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # 0/0: the class does not occur
            return 100 * (hit @ weights) / (union @ weights)

    def score(weights: np.ndarray) -> Arrays:
        right, known = of_all @ weights
        return {"pix_acc": 100 * right / known, "miou": np.nanmean(iou(weights), 0)}

    found = iou(np.ones((len(arrays["names"]), 1)))[:, 0]
    classes = zip(arrays["classes"].tolist(), found.tolist(), strict=True)
    return Outputs(arrays["names"], score, {name: value for name, value in classes if value >= 0})


def detection(arrays: Arrays) -> Outputs:
    """map_voc07, map_area (IoU 0.5), and map_coco (IoU 0.50 to 0.95), over the classes that have a truth."""
    voc, coco = curves(arrays, match_voc), curves(arrays, match_coco)
    ways = {"map_voc07": (voc, VOC07_LEVELS), "map_area": (voc, None), "map_coco": (coco, COCO_LEVELS)}

    def score(weights: np.ndarray) -> Arrays:
        return {
            name: 100 * np.nanmean([average_precision(curve, weights, levels) for curve in some], 0)
            for name, (some, levels) in ways.items()
        }

    return Outputs(arrays["image_ids"], score, {})


READERS: dict[str, Callable[[Arrays], Outputs]] = {
    "classification": classification,
    "detection": detection,
    "segmentation": segmentation,
}
