"""Detections on a few images of VOC07's test set, for the page; `outputs.npz` holds at most six, evenly spread."""

from pathlib import Path
from typing import Any

import numpy as np

from trick_transfer.engine.pictures import Seen

VOC = Path("VOCdevkit/VOC2007/JPEGImages")


def seen(outputs: Path, data_root: Path, config: dict[str, Any]) -> Seen:
    """The stored detections, and the truth: [x1, y1, x2, y2, class, score] in the image's pixels."""
    with np.load(outputs) as arrays:
        names, counts, gt_counts = (arrays[f"shown_{name}"] for name in ("ids", "counts", "gt_counts"))
        found = np.column_stack([arrays[f"shown_{name}"] for name in ("boxes", "labels", "scores")])
        truth = np.column_stack([arrays[f"shown_gt_{name}"] for name in ("boxes", "labels")])
    return Seen(
        names.tolist(),
        [each.round(2).tolist() for each in np.split(found, np.cumsum(counts)[:-1])],
        [each.round(1).tolist() for each in np.split(truth, np.cumsum(gt_counts)[:-1])],
        config["val_dataloader"]["dataset"]["metainfo"]["classes"],
        data_root / VOC,
    )
