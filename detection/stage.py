"""Detection as a stage: what the pipeline and the leaderboard know of it."""

from pathlib import Path
from typing import Any

import numpy as np

from trick_transfer.engine.pictures import Seen
from trick_transfer.engine.stage import Arrays, Metric, Outputs, Stage

from . import pictures
from .ranking import average_precision, curves, match_coco, match_voc

VOC07_LEVELS = np.arange(0, 1.001, 0.1)  # as in mmdet's `average_precision`, to the last bit
COCO_LEVELS = np.linspace(0, 1, 101)


class Detection(Stage):
    """Fine-tunes a Faster R-CNN (sec. 6.1)."""

    name = "detection"
    protocols = ("faster_rcnn_voc", "faster_rcnn_fpn_voc")
    metrics = (
        Metric("map_voc07", "VOC mAP (11-point)", required=True, headline=True),
        Metric("map_area", "VOC mAP (area)", required=True),
        Metric("map_coco", "COCO mAP"),
    )

    def outputs(self, arrays: Arrays) -> Outputs:
        """map_voc07, map_area (IoU 0.5), and map_coco (IoU 0.50 to 0.95), over the classes that have a truth."""
        voc, coco = curves(arrays, match_voc), curves(arrays, match_coco)
        ways = {"map_voc07": (voc, VOC07_LEVELS), "map_area": (voc, None), "map_coco": (coco, COCO_LEVELS)}

        def score(weights: np.ndarray) -> Arrays:
            return {
                name: 100 * np.nanmean([average_precision(curve, weights, levels) for curve in some], 0)
                for name, (some, levels) in ways.items()
            }

        return Outputs(arrays["image_ids"], score, {})

    def seen(self, outputs: Path, data_root: Path, config: dict[str, Any]) -> Seen:
        """Detections and the truth."""
        return pictures.seen(outputs, data_root, config)


DETECTION = Detection()
