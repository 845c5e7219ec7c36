"""Top-1 and top-5 accuracy in percent, and compact outputs from which both can be computed again without a GPU."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from trick_transfer.engine.files import write_arrays

from .registry import METRICS

KEPT = 5
COLUMNS = ("labels", "ranked", "logits", "logits_mean", "log_sum_exp")  # of the .npz, beside the names of the classes


def topk(ranked: np.ndarray, labels: np.ndarray, k: int) -> float:
    """The share in percent of labels (N,) among the first k of `ranked` (N, KEPT), best class first."""
    return float((ranked[:, :k] == labels[:, None]).any(1).mean() * 100)


@METRICS.register_module()
class TopK(BaseMetric):
    """Scores each image once, under any number of processes; `outputs` is the path of the .npz, or None.

    The .npz has one row per image: label, the best five classes, their logits, the mean of all logits (for Figure 4 of
    the paper: the gap between the best and the mean of the rest), and the logarithm of the softmax's denominator.
    Beside them are the classes' names, if the data have some.
    """

    default_prefix = ""

    def __init__(self, k: Sequence[int] = (1, KEPT), outputs: str | None = None, **kwargs: Any) -> None:
        super().__init__(collect_device="gpu", **kwargs)  # through the process group, on any device, without files
        if not {1, KEPT} <= set(k) <= set(range(1, KEPT + 1)):
            raise ValueError(f"val_evaluator.k must contain 1 and {KEPT}, and nothing above {KEPT}; got {k}")
        self.k, self.outputs = tuple(k), outputs

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            logits = sample["logits"].float().cpu()
            values, classes = logits.topk(min(KEPT, len(logits)))
            rest = float(logits.mean()), float(logits.logsumexp(0))
            self.results.append((int(sample["label"]), classes.numpy(), values.numpy(), *rest))

    def compute_metrics(self, results: list) -> dict[str, float]:
        columns = [np.array(column) for column in zip(*results, strict=True)]
        kept = columns[0] >= 0  # -1: the file could not be read
        table = {name: column[kept] for name, column in zip(COLUMNS, columns, strict=True)}
        if self.outputs:
            names = (self.dataset_meta or {}).get("classes")
            write_arrays(self.outputs, table | ({"classes": np.array(names)} if names else {}))
        scores = {f"top{k}": topk(table["ranked"], table["labels"], k) for k in self.k}
        return scores | {"samples_scored": int(kept.sum())}
