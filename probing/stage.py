"""Probing as a stage: a frozen backbone's features are scored on class folders. Nothing of the backbone is trained."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS as ROOT_DATASETS

from backbones.fine_tuning import FineTuning
from trick_transfer.engine import pictures
from trick_transfer.engine.batch import Batch
from trick_transfer.engine.names import in_its_folder
from trick_transfer.engine.stage import Arrays, Metric, Outputs, Stage

from .metric import SHOTS, accuracies
from .registry import METRICS

OWN_DATA = ("formats", "recognise", "lacking", "shown_classes", "lay_out", "own_splits", "show")


class Probing(FineTuning):
    """`labelled` is the stage whose data of one's own it reads, and as it does."""

    name = "probing"
    data_set = "imagenet1k"
    folder = Path(__file__).parent
    protocols = ("linear_probe", "knn", "few_shot")
    optional = True
    metrics = (
        Metric("linear_top1", "linear probe top-1", headline=True, measure="top-1"),
        Metric("linear_top5", "linear probe top-5", measure="top-5"),
        Metric("knn_top1", "kNN top-1", headline=True, measure="top-1"),
        Metric("knn_top5", "kNN top-5", measure="top-5"),
        *(Metric(f"shots{k}_top1", f"{k}-shot top-1", headline=True, measure="top-1") for k in SHOTS),
        *(Metric(f"shots{k}_sd", f"{k}-shot: SD of draws", "lower") for k in SHOTS),
    )

    def __init__(self, labelled: Stage) -> None:
        vars(self).update({name: getattr(labelled, name) for name in OWN_DATA})
        self.like = labelled.name

    def frozen_norms(self, cfg: Config) -> bool:
        return True

    def image_sizes(self, cfg: Config) -> Iterator[tuple[int, int]]:
        yield cfg.data.crop.size_px, cfg.data.crop.size_px

    def check(self, cfg: Config) -> None:
        METRICS.build(cfg.val_evaluator)

    def check_data(self, cfg: Config, training: bool = True) -> None:
        train, test = (ROOT_DATASETS.build(part) for part in parts(cfg))  # a probe is trained anew to be scored again
        if differing := sorted(set(train.classes) ^ set(test.classes)):
            raise ValueError(f"{self.root(cfg)}/train and val differ in the classes {', '.join(differing[:4])}")
        names = [in_its_folder(file) for file in train.files]
        METRICS.build(cfg.val_evaluator).check(names, train.labels, train.classes)

    def finish(self, cfg: Config, batch: Batch) -> None:
        super().finish(cfg, batch)
        train, test = parts(cfg)
        cfg.train_dataloader.dataset.dataset = train
        cfg.val_dataloader.dataset = dict(type="probing.TrainThenTest", train=train, test=test)
        cfg.pop("data")

    def adopt(self, cfg: Config, name: str, classes: Sequence[str], counts: Mapping[str, int]) -> None:
        cfg.data.num_classes = len(classes)

    def outputs(self, arrays: Arrays) -> Outputs:
        """Top-1 and top-5, over few images of each class the mean of several draws, and their standard deviation."""
        return Outputs(arrays["labels"], lambda weights: accuracies(arrays, weights))

    def shown(self, sample: dict, found: Any) -> np.ndarray:
        return sample["inputs"].permute(1, 2, 0).numpy()

    def draw(self, picture: np.ndarray, found: Any, classes: Sequence[str]) -> np.ndarray:
        """Its class: what is predicted is not known before all features are."""
        return pictures.write(picture, classes[int(found["labels"])])


def parts(cfg: Config) -> list[dict[str, Any]]:
    """The data sets of the images to train on and of those to score."""
    shared = dict(root=cfg.data.data_root, num_classes=cfg.data.num_classes, crop=cfg.data.crop, scored=True)
    return [dict(part) | shared for part in (cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset)]
