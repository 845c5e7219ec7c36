"""Classification as a stage: what the pipeline and the leaderboard need to know about it."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from backbones.base import gmacs, params_m
from backbones.card import Card
from trick_transfer.engine import pictures
from trick_transfer.engine.details import Details, as_points, name_of
from trick_transfer.engine.held_out import HELD_OUT
from trick_transfer.engine.images import decode
from trick_transfer.engine.source import SPLITS, Sample
from trick_transfer.engine.stage import Arrays, Metric, Outputs, Prediction, Stage

from . import config, given, layout
from .classifier import export
from .data import Folder
from .diagnostics import SWAPPED, residual_branches, swapped_coats
from .formats import FORMATS, recognise
from .predictions import UNKNOWN, best_classes, class_names, feeder

ECE_BINS = 15  # Guo et al., "On Calibration of Modern Neural Networks", 2017
SCORING = ("version", "data", "val_dataloader", "val_evaluator")  # the keys that say how a classifier is scored


class Classification(Stage):
    """Trains the backbone."""

    name = "classification"
    data_set = "imagenet1k"
    trains_backbone = True
    hub_task = "image-classification"
    metrics = (
        Metric("top1", "top-1", required=True, headline=True),
        Metric("top5", "top-5", required=True),
        Metric("ece", "ECE", "lower"),
        # `mini` only: predictions for animals in another kind's coat
        Metric("follows_shape", "swapped coat: says shape", verifiable=False),
        Metric("follows_coat", "swapped coat: says coat", "lower", verifiable=False),
    )

    draft = staticmethod(config.draft)
    check = staticmethod(config.check)
    check_data = staticmethod(config.check_data)
    finish = staticmethod(config.finish)

    def is_early(self, key: str) -> bool:
        """Tricks, the backbone, and whom to follow decide which other keys exist."""
        return key in (config.BACKBONE, config.KEY) or key.split(".")[0] == config.TRICKS

    def root(self, cfg: Config) -> Path:
        return Path(cfg.data.root)

    def place(self, cfg: Config, root: Path) -> None:
        cfg.data.root = str(root)

    def connect(self, cfg: Config, card: Card) -> None:
        cfg.model.teacher.update(card=str(card.folder / "card.json"), sha256=card.sha256)

    def protocol(self, cfg: dict[str, Any]) -> dict[str, Any]:
        return {key: cfg[key] for key in (*SCORING, config.KEY, HELD_OUT) if key in cfg}

    def data_name(self, cfg: Config) -> str:
        return cfg.data.name

    def training_images(self, cfg: Config) -> int | None:
        return cfg.data.num_train

    def global_batch(self, cfg: Config) -> int:
        return cfg.global_batch

    start = staticmethod(given.start)

    def as_scored(self, cfg: Config) -> Any:
        read = cfg.train_dataloader.dataset.dataset
        return dict(cfg.val_dataloader.dataset, split=read.split, skip_broken=read.skip_broken, scored=True)

    def leave(self, model: Any, cfg: Config, folder: Path, metrics: dict[str, float], **about: Any) -> dict[str, Any]:
        carried = cfg.model.get("given") and not cfg.max_epochs  # with a head of its own, or none
        card = export(model, cfg, folder, metrics, not carried, **about)
        px = cfg.val_dataloader.dataset.crop.size_px
        facts = dict(params_m=params_m(model), gmacs=gmacs(model, px), feature_error=card.feature_error)
        if carried:
            return facts
        if Path(cfg.data.root, SWAPPED).is_dir():
            metrics |= swapped_coats(model, cfg)
        return facts | dict(branches=residual_branches(model, cfg))

    formats = FORMATS
    recognise = staticmethod(recognise)
    mend_lacking = ", or leave it out with the option classes"
    lay_out = staticmethod(layout.lay_out)

    def shown_classes(self, sample: Sample, classes: Sequence[str]) -> Iterable[str]:
        return (classes[sample.truth],)

    def own_splits(self, classes: Sequence[str]) -> tuple[Folder, ...]:
        return tuple(Folder(split, None, len(classes)) for split in SPLITS)

    def adopt(self, cfg: Config, name: str, classes: Sequence[str], counts: Mapping[str, int]) -> None:
        cfg.data.update(name=name, num_train=counts["train"], num_val=counts["val"])
        cfg.model.num_classes = len(classes)

    def show(self, sample: Sample, classes: Sequence[str]) -> np.ndarray:
        return pictures.write(pictures.fit(decode(sample.image)), classes[sample.truth])

    def outputs(self, arrays: Arrays) -> Outputs:
        """top1, top5, and the expected calibration error in bins of equal width (confidence from log_sum_exp)."""
        hits = arrays["ranked"] == arrays["labels"][:, None]
        confidence, bins = in_bins(arrays)
        gaps = bins * (hits[:, 0] - confidence)
        columns = np.vstack([hits[:, 0], hits.any(1), gaps])

        def score(weights: np.ndarray) -> Arrays:
            top1, top5, *gaps = 100 * (columns @ weights) / weights.sum(0)
            return {"top1": top1, "top5": top5, "ece": np.abs(gaps).sum(0)}

        return Outputs(arrays["labels"], score)

    def details(self, arrays: Arrays, config: Mapping[str, Any]) -> Details:
        """Top-1 of each class, which classes are confused, and accuracy over confidence in the bins of the ECE."""
        labels, predicted = arrays["labels"], arrays["ranked"][:, 0]
        names, right = arrays.get("classes", np.array([])).tolist(), labels == predicted
        pairs, images = np.unique(np.column_stack([labels, predicted]), axis=0, return_counts=True)
        confusion = [
            (name_of(names, true), name_of(names, said), count)
            for (true, said), count in zip(pairs.tolist(), images.tolist(), strict=True)
        ]
        confidence, bins = in_bins(arrays)
        filled = bins[bins.any(1)].astype(float)
        means = (filled @ each / filled.sum(1) for each in (confidence, right))
        return Details(
            "top-1",
            {name_of(names, label): 100 * float(right[labels == label].mean()) for label in np.unique(labels).tolist()},
            tuple(sorted(confusion, key=lambda each: -each[2])),
            ("confidence", "accuracy"),
            {"calibration": as_points(*means)},
        )

    def shown(self, sample: dict, found: dict) -> np.ndarray:
        return sample["inputs"]

    def draw(self, picture: np.ndarray, found: dict, classes: Sequence[str]) -> np.ndarray:
        best, truth = best_classes(found["logits"], classes)[0], int(found["label"])
        if truth == UNKNOWN:
            text = f"{best['name']} {100 * best['probability']:.0f} %"
        else:
            text = best["name"] if best["category_id"] == truth else f"{best['name']} ({classes[truth]})"
        return pictures.write(picture, text)

    classes = staticmethod(class_names)
    feeder = staticmethod(feeder)

    def predicted(self, found: dict, classes: Sequence[str]) -> Prediction:
        return Prediction({"labels": best_classes(found["logits"], classes)})


def in_bins(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """(images,) the confidence in the best class; (ECE_BINS, images) whether it is in each bin, (low, high]."""
    confidence = np.exp(arrays["logits"][:, 0].astype(float) - arrays["log_sum_exp"])
    bins = np.clip(np.ceil(confidence * ECE_BINS) - 1, 0, ECE_BINS - 1)
    return confidence, bins == np.arange(ECE_BINS)[:, None]


CLASSIFICATION = Classification()
