"""VOC mean average precision at IoU 0.5: `map_voc07` (11 points, the paper's and our headline) and `map_area`.

Both come from the same detections through mmdet's `eval_map`, difficult objects ignored, widths counted as
x2 - x1 + 1 like the VOC devkit. One .npz keeps the ranking of all detections, from which all metrics can be recomputed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmdet.evaluation.functional import average_precision, eval_map
from mmengine.evaluator import BaseMetric

from trick_transfer.engine.files import write_arrays
from trick_transfer.engine.pictures import spread
from trick_transfer.engine.stage import Arrays

from .ranking import ranking
from .registry import METRICS
from .stage import LEAST_SCORE

MOST_BOXES = 10  # of an image that are shown


@METRICS.register_module()
class VOCMeanAP(BaseMetric):
    """map_voc07, map_area (percent) and the number of images scored; `outputs` is the path of the .npz, or None."""

    def __init__(self, outputs: str | None = None) -> None:
        super().__init__(collect_device="gpu")  # through the process group, on any device, without files
        self.outputs = outputs

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            found, truth, ignored = (sample[k] for k in ("pred_instances", "gt_instances", "ignored_instances"))
            image = {
                "image_ids": np.array([sample["img_id"]]),
                "boxes": array(found["bboxes"]).reshape(-1, 4),
                "scores": array(found["scores"]),
                "labels": array(found["labels"]).astype(np.int16),
                "gt_boxes": np.concatenate([array(t["bboxes"]).reshape(-1, 4) for t in (truth, ignored)]),
                "gt_labels": np.concatenate([array(t["labels"]) for t in (truth, ignored)]).astype(np.int16),
                "gt_difficult": np.repeat([False, True], [len(truth["labels"]), len(ignored["labels"])]),
            }
            self.results.append(image)

    def compute_metrics(self, results: list[Arrays]) -> dict[str, float]:
        if self.outputs is not None:
            write_outputs(self.outputs, results)
        return mean_ap(results, classes=len(self.dataset_meta["classes"])) | {"samples_scored": len(results)}


def array(tensor: Any) -> np.ndarray:
    """A tensor's values as float32 (NumPy lacks bf16)."""
    return tensor.cpu().float().numpy()


def mean_ap(images: list[Arrays], classes: int) -> dict[str, float]:
    """map_voc07 and map_area in percent, over the classes with an object that is not difficult; 0 without any."""
    truths = []
    for image in images:
        easy, hard = ~image["gt_difficult"], image["gt_difficult"]
        truth = {"bboxes": image["gt_boxes"][easy], "labels": image["gt_labels"][easy]}
        truths.append(truth | {"bboxes_ignore": image["gt_boxes"][hard], "labels_ignore": image["gt_labels"][hard]})
    boxes = [np.column_stack([image["boxes"], image["scores"]]) for image in images]
    found = [[each[image["labels"] == c] for c in range(classes)] for each, image in zip(boxes, images, strict=True)]
    _, curves = eval_map(found, truths, iou_thr=0.5, use_legacy_coordinate=True, logger="silent", nproc=2)
    scored = [curve for curve in curves if curve["num_gts"] > 0]
    return {
        name: 100 * float(np.mean([average_precision(c["recall"], c["precision"], mode) for c in scored] or [0]))
        for name, mode in (("map_voc07", "11points"), ("map_area", "area"))
    }


def write_outputs(path: str, results: list[Arrays]) -> None:
    """Write the ranking of all detections (see `ranking`), and the boxes of a few images for display."""
    image_ids = np.concatenate([image["image_ids"] for image in results])
    write_arrays(path, dict(image_ids=image_ids) | ranking(results) | shown(results))


def shown(results: list[Arrays]) -> Arrays:
    """A few images for display; `shown_counts` and `shown_gt_counts` are the number of rows of each."""
    images = [results[at] | best(results[at]) for at in spread(len(results))]
    keys = {"image_ids": "ids"} | {key: key for key in ("boxes", "labels", "scores", "gt_boxes", "gt_labels")}
    arrays = {f"shown_{name}": np.concatenate([image[key] for image in images]) for key, name in keys.items()}
    counts = {"shown_counts": "scores", "shown_gt_counts": "gt_labels"}
    return arrays | {name: np.array([len(image[key]) for image in images]) for name, key in counts.items()}


def best(image: Arrays) -> Arrays:
    """The detections of an image to be shown, the best last, so that it is drawn on top."""
    order = np.argsort(image["scores"], kind="stable")[-MOST_BOXES:]
    order = order[image["scores"][order] >= LEAST_SCORE]
    return {key: image[key][order] for key in ("boxes", "labels", "scores")}
