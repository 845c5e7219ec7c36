"""VOC mean average precision at IoU 0.5: `map_voc07` (11 points, the paper's and our headline) and `map_area`.

Both come from the same detections through mmdet's `eval_map`, difficult objects ignored, widths counted as
x2 - x1 + 1 like the VOC devkit. The detections and truths are kept in one .npz, so that every figure can be redone.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.evaluation.functional import average_precision, eval_map
from mmengine.evaluator import BaseMetric

from trick_transfer.engine.files import write_whole

from .registry import METRICS

Arrays = dict[str, np.ndarray]


@METRICS.register_module()
class VOCMeanAP(BaseMetric):
    """map_voc07, map_area (percent) and the number of images scored; `outputs` is the .npz that keeps them."""

    def __init__(self, outputs: str | None = None) -> None:
        super().__init__(collect_device="gpu")  # that is: through the process group, whatever the device; no files
        self.outputs = outputs

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep each image's detections and truths, on the original image's pixels."""
        for sample in data_samples:
            found, truth, ignored = (sample[k] for k in ("pred_instances", "gt_instances", "ignored_instances"))
            self.results.append(
                {
                    "image_ids": np.array([sample["img_id"]]),
                    "boxes": array(found["bboxes"]).reshape(-1, 4),
                    "scores": array(found["scores"]),
                    "labels": array(found["labels"]).astype(np.int16),
                    "gt_boxes": np.concatenate([array(t["bboxes"]).reshape(-1, 4) for t in (truth, ignored)]),
                    "gt_labels": np.concatenate([array(t["labels"]) for t in (truth, ignored)]).astype(np.int16),
                    "gt_difficult": np.repeat([False, True], [len(truth["labels"]), len(ignored["labels"])]),
                }
            )

    def compute_metrics(self, results: list[Arrays]) -> dict[str, float]:
        """Score all images, and write `outputs`; on the main process only, each image once."""
        if self.outputs is not None:
            write_outputs(self.outputs, results)
        return mean_ap(results, classes=len(self.dataset_meta["classes"])) | {"samples_scored": len(results)}


def array(tensor: Any) -> np.ndarray:
    """A tensor's values; bf16, which NumPy lacks, as float32."""
    return tensor.cpu().float().numpy()


def mean_ap(images: list[Arrays], classes: int) -> dict[str, float]:
    """map_voc07 and map_area in percent, over the classes that have a truth that is not difficult."""
    truths = []
    for image in images:
        easy, hard = ~image["gt_difficult"], image["gt_difficult"]
        truth = {"bboxes": image["gt_boxes"][easy], "labels": image["gt_labels"][easy]}
        truths.append(truth | {"bboxes_ignore": image["gt_boxes"][hard], "labels_ignore": image["gt_labels"][hard]})
    found = [[of_class(image, label) for label in range(classes)] for image in images]
    _, curves = eval_map(found, truths, iou_thr=0.5, use_legacy_coordinate=True, logger="silent", nproc=2)
    scored = [curve for curve in curves if curve["num_gts"] > 0]
    modes = {"map_voc07": "11points", "map_area": "area"}
    return {name: 100 * mean(scored, mode) for name, mode in modes.items()}


def mean(curves: list[dict], mode: str) -> float:
    """The mean over classes of the average precision in one mode, 0 without classes."""
    return float(np.mean([average_precision(c["recall"], c["precision"], mode) for c in curves])) if curves else 0.0


def of_class(image: Arrays, label: int) -> np.ndarray:
    """(N, 5): the boxes and scores of one class."""
    own = image["labels"] == label
    return np.column_stack([image["boxes"][own], image["scores"][own]])


def write_outputs(path: str, results: list[Arrays]) -> None:
    """All images' arrays one after another; `counts` and `gt_counts` say how many rows each image has."""
    rows = {key: np.concatenate([image[key] for image in results]) for key in results[0]}
    counts = {"counts": "scores", "gt_counts": "gt_labels"}
    rows |= {name: np.array([len(image[key]) for image in results]) for name, key in counts.items()}

    def save(part: Path) -> None:
        with part.open("wb") as file:  # given a name, NumPy would append .npz to it
            np.savez_compressed(file, **rows)

    write_whole(path, save)


def read_outputs(path: str | Path) -> list[Arrays]:
    """The inverse: one dict of arrays an image, as `mean_ap` takes them."""
    with np.load(path) as rows:
        images, cuts = len(rows["image_ids"]), {n: np.cumsum(rows[n])[:-1] for n in ("counts", "gt_counts")}
        split = {"image_ids": np.split(rows["image_ids"], images)}
        for key in ("boxes", "scores", "labels", "gt_boxes", "gt_labels", "gt_difficult"):
            split[key] = np.split(rows[key], cuts["gt_counts" if key.startswith("gt_") else "counts"])
    return [{key: parts[i] for key, parts in split.items()} for i in range(images)]
