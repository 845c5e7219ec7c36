"""pixAcc and mIoU over the whole set (Bag of Tricks, Table 9), on masks of the original size; raw 0 is ignored.

Both sum pixels over all images before they divide. A class found neither in truth nor in prediction has no IoU and is
left out of the mean, as in mmseg; GluonCV counts it as 0. All 150 classes occur in ADE20K's validation set, so the
paper's numbers are the same either way.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from trick_transfer.engine.files import write_arrays

from .confusion import count, filled, summed
from .data import IGNORED
from .registry import METRICS

SHOWN = 8


def confused(predicted: Tensor, truth: Tensor, num_classes: int) -> np.ndarray:
    """(H, W), (H, W) -> (classes, classes): the pixels by true and by predicted class."""
    known = truth != IGNORED
    pairs = truth[known].long() * num_classes + predicted[known]
    return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes).cpu().numpy()


def scores(counts: np.ndarray) -> dict[str, float]:
    """(N, 3, classes) counts -> `pix_acc` and `miou` in percent. Raises ValueError without a labelled pixel."""
    hit, predicted, truth = counts.sum(0, dtype=np.int64)
    if truth.sum() == 0:
        raise ValueError(f"no pixel of the {len(counts)} images is labelled, so nothing can be scored")
    union = predicted + truth - hit
    occurs = union > 0
    iou = hit[occurs] / union[occurs]
    return {"pix_acc": 100 * float(hit.sum() / truth.sum()), "miou": 100 * float(iou.mean())}


@METRICS.register_module()
class SegmentationScores(BaseMetric):
    """`pix_acc`, `miou`, `samples_scored`.

    `outputs` (.npz) gets the counts of each image, from which `scores` recomputes, and for display `confusion`, the
    pixels of all images as in `filled`, and the predicted masks (H, W) of the first `SHOWN` images: `shown_names`,
    `shown_0`, `shown_1`, ...
    """

    default_prefix = ""

    def __init__(self, outputs: str | None = None) -> None:
        super().__init__(collect_device="gpu")  # through the process group, on any device, without files
        self.outputs = outputs

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        num_classes = len(self.dataset_meta["classes"])
        for sample in data_samples:
            predicted, truth = (sample[key]["data"].squeeze(0) for key in ("pred_sem_seg", "gt_sem_seg"))
            mask = predicted.cpu().numpy().astype(np.uint8) if len(self.results) < SHOWN else None
            confusion = confused(predicted, truth, num_classes)
            self.results.append(
                (Path(sample["img_path"]).stem, count(confusion).astype(np.int32), filled(confusion), mask)
            )

    def compute_metrics(self, results: list[tuple[str, np.ndarray, np.ndarray, np.ndarray | None]]) -> dict[str, float]:
        names, counts, pairs, masks = zip(*results, strict=True)
        counts, classes = np.stack(counts), self.dataset_meta["classes"]
        if len(set(names)) < len(names):
            raise ValueError(f"{len(names) - len(set(names))} of {len(names)} images were scored twice")
        if self.outputs is not None:
            shown = [(name, mask) for name, mask in zip(names[:SHOWN], masks, strict=False) if mask is not None]
            arrays = {f"shown_{i}": mask for i, (_, mask) in enumerate(shown)}
            arrays["shown_names"] = np.array([name for name, _ in shown])
            arrays |= dict(names=np.array(names), counts=counts, classes=np.array(classes))
            arrays["confusion"] = filled(summed(pairs, len(classes)))
            write_arrays(self.outputs, arrays)
        return {**scores(counts), "samples_scored": len(names)}
