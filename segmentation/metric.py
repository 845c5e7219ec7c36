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

from .data import IGNORED
from .registry import METRICS

SHOWN = 8


def count(predicted: Tensor, truth: Tensor, num_classes: int) -> np.ndarray:
    """(H, W), (H, W) -> (3, classes) int32: the correct, the predicted and the true pixels of each class."""
    known = truth != IGNORED
    predicted, truth = predicted[known], truth[known]
    maps = (truth[predicted == truth], predicted, truth)
    return torch.stack([torch.bincount(m, minlength=num_classes) for m in maps]).cpu().numpy().astype(np.int32)


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

    `outputs` (.npz) gets the counts of each image, from which `scores` recomputes, and for display the predicted masks
    (H, W) of the first `SHOWN` images: `shown_names`, `shown_0`, `shown_1`, ...
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
            self.results.append((Path(sample["img_path"]).stem, count(predicted, truth, num_classes), mask))

    def compute_metrics(self, results: list[tuple[str, np.ndarray, np.ndarray | None]]) -> dict[str, float]:
        names, counts = [name for name, _, _ in results], np.stack([counts for _, counts, _ in results])
        if len(set(names)) < len(names):
            raise ValueError(f"{len(names) - len(set(names))} of {len(names)} images were scored twice")
        if self.outputs is not None:
            shown = [(name, mask) for name, _, mask in results[:SHOWN] if mask is not None]
            arrays = {f"shown_{i}": mask for i, (_, mask) in enumerate(shown)}
            arrays["shown_names"] = np.array([name for name, _ in shown])
            arrays |= dict(names=np.array(names), counts=counts, classes=np.array(self.dataset_meta["classes"]))
            write_arrays(self.outputs, arrays)
        return {**scores(counts), "samples_scored": len(names)}
