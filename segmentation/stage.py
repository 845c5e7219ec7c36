"""Segmentation as a stage: what the pipeline and the leaderboard know of it."""

from pathlib import Path
from typing import Any

import numpy as np

from trick_transfer.engine.pictures import Seen
from trick_transfer.engine.stage import Arrays, Metric, Outputs, Stage

from . import pictures


class Segmentation(Stage):
    """Fine-tunes a dilated FCN (sec. 6.2)."""

    name = "segmentation"
    protocols = ("fcn_ade20k", "fcn_ade20k_msflip")
    metrics = (
        Metric("pix_acc", "pixAcc", required=True, headline=True),
        Metric("miou", "mIoU", required=True, headline=True),
    )

    def outputs(self, arrays: Arrays) -> Outputs:
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

    def seen(self, outputs: Path, data_root: Path, config: dict[str, Any]) -> Seen:
        """Masks and the truth."""
        return pictures.seen(outputs, data_root)


SEGMENTATION = Segmentation()
