"""Probes as metrics: they fit a classifier on the training images' features and rank the classes of the scored ones.

The .npz that they write has `labels` (N,), and under each classifier's name (draws, N, 5 or 1): the best classes first.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.device import get_device
from mmengine.evaluator import BaseMetric
from torch import Tensor
from torch.nn import functional as F

from trick_transfer.engine.files import write_arrays
from trick_transfer.engine.names import share

from .classifiers import logistic_regression, nearest_neighbours, ranked, scores, standardised
from .registry import METRICS

KEPT = 5
SHOTS = (1, 5, 10)  # images a class; each is a column of the leaderboard
NAMES = ("linear", "knn", *(f"shots{number}" for number in SHOTS))


class Images(NamedTuple):
    """Features (N, C), labels (N,) and names of some images."""

    features: Tensor
    labels: Tensor
    names: list[str]


def accuracies(arrays: Mapping[str, np.ndarray], weights: np.ndarray) -> dict[str, np.ndarray]:
    """Of weighted images, (N, rounds) -> percents (rounds,): means over draws, and their standard deviation.

    Raises ValueError for arrays of no probe.
    """
    found = {}
    for name in [name for name in NAMES if name in arrays]:
        hits = arrays[name] == arrays["labels"][:, None]
        top1 = 100 * (hits[..., 0] @ weights) / weights.sum(0)
        found[f"{name}_top1"] = top1.mean(0)
        if hits.shape[2] > 1:
            found[f"{name}_top5"] = 100 * (hits.any(2) @ weights)[0] / weights.sum(0)
        if len(hits) > 1:
            found[f"{name}_sd"] = top1.std(0, ddof=1)
    if not found:
        raise ValueError(f"none of {', '.join(NAMES)} is there")
    return found


class Probe(BaseMetric):
    """Scores each image once, under any number of processes; `outputs` is the path of the .npz, or None."""

    default_prefix = ""

    def __init__(self, outputs: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.outputs = outputs

    def check(self, names: Sequence[str], labels: Sequence[int], classes: Sequence[str]) -> None:
        """Raise ValueError for training images that are too few; without it any number will do."""

    def fit(self, train: Images, test: Tensor, classes: int) -> Iterator[tuple[str, Tensor]]:
        """A classifier's name and the ranked classes (N, kept) of the features `test`; once for each draw."""
        raise NotImplementedError

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            self.results.append((sample["features"], int(sample["labels"]), sample["names"], bool(sample["trains"])))

    def compute_metrics(self, results: list) -> dict[str, float]:
        train, test = (images(results, part) for part in (True, False))
        classes = self.dataset_meta["classes"]
        self.check(train.names, train.labels.tolist(), classes)
        found: dict[str, list[np.ndarray]] = {}
        for name, best in self.fit(train, test.features, len(classes)):
            found.setdefault(name, []).append(best.cpu().numpy().astype(np.uint16))
        table = {"labels": test.labels.cpu().numpy()} | {name: np.stack(draws) for name, draws in found.items()}
        if self.outputs:
            write_arrays(self.outputs, table)
        percents = accuracies(table, np.ones((len(test.names), 1)))
        return {name: float(each[0]) for name, each in percents.items()} | {"samples_scored": len(test.names)}


def images(results: Sequence[tuple], trains: bool) -> Images:
    """Those to train on or those to score, without files that could not be read, whose label is -1."""
    chosen = [each for each in results if each[3] == trains and each[1] >= 0]
    features, labels, names, _ = zip(*chosen, strict=True)
    return Images(torch.stack(features).to(get_device()), torch.tensor(labels, device=get_device()), list(names))


@METRICS.register_module()
class LinearProbe(Probe):
    """Logistic regression on standardised features; `l2` are tried from the first to the last.

    The one that is best on `held_out_percent` of the training images, chosen by the hash of their names, is taken with
    all of them.
    """

    def __init__(self, l2: Sequence[float], held_out_percent: float, iterations: int, **options: Any) -> None:
        super().__init__(**options)
        self.l2, self.held_out_percent, self.iterations = l2, held_out_percent, iterations

    def held_out(self, names: Sequence[str]) -> list[bool]:
        return [100 * share(name) < self.held_out_percent for name in names]

    def check(self, names: Sequence[str], labels: Sequence[int], classes: Sequence[str]) -> None:
        if len(set(self.held_out(names))) < 2:
            part = f"held_out_percent={self.held_out_percent:g}"
            raise ValueError(f"{part} of {len(names)} training images leaves none to train on, or none to choose l2 on")

    def fit(self, train: Images, test: Tensor, classes: int) -> Iterator[tuple[str, Tensor]]:
        l2 = self.chosen(train, classes)
        features, scored = standardised(train.features, test)
        weights = logistic_regression(features, train.labels, classes, l2, self.iterations)
        yield "linear", ranked(scores(scored, weights), KEPT)

    def chosen(self, train: Images, classes: int) -> float:
        """The l2 that is best on the held-out part, the first of equal ones; each fit starts at the last."""
        apart = torch.tensor(self.held_out(train.names), device=train.labels.device)
        features, scored = standardised(train.features[~apart], train.features[apart])
        weights, right = None, []
        for l2 in self.l2:
            weights = logistic_regression(features, train.labels[~apart], classes, l2, self.iterations, weights)
            right.append(int((scores(scored, weights).argmax(1) == train.labels[apart]).sum()))
        return self.l2[right.index(max(right))]


@METRICS.register_module()
class NearestNeighbours(Probe):
    """The weighted votes of the nearest training images."""

    def __init__(self, neighbours: int, temperature: float, **options: Any) -> None:
        super().__init__(**options)
        self.options = neighbours, temperature

    def fit(self, train: Images, test: Tensor, classes: int) -> Iterator[tuple[str, Tensor]]:
        votes = nearest_neighbours(train.features, train.labels, test, classes, *self.options)
        yield "knn", ranked(votes, KEPT)


@METRICS.register_module()
class FewShot(Probe):
    """Logistic regression on features of length 1 of a few images of each class, in several draws.

    A draw takes the images of a class whose names, with the draw's number, have the lowest hashes: the same for every
    backbone. `inverse_l2` is scikit-learn's C.
    """

    def __init__(self, shots: Sequence[int], draws: int, inverse_l2: float, iterations: int, **options: Any) -> None:
        super().__init__(**options)
        if not shots or not set(shots) <= set(SHOTS):
            raise ValueError(f"val_evaluator.shots must be some of {SHOTS}, got {shots}")
        self.shots, self.draws, self.inverse_l2, self.iterations = shots, draws, inverse_l2, iterations

    def check(self, names: Sequence[str], labels: Sequence[int], classes: Sequence[str]) -> None:
        counts = np.bincount(labels, minlength=len(classes))
        if (few := counts.min()) < max(self.shots):
            name, fit = classes[int(counts.argmin())], [each for each in self.shots if each <= few]
            fix = f"--set val_evaluator.shots={fit}" if fit else "give it images"
            raise ValueError(f"class {name} has {few} training images, few_shot takes {max(self.shots)}; {fix}")

    def fit(self, train: Images, test: Tensor, classes: int) -> Iterator[tuple[str, Tensor]]:
        features, scored = F.normalize(train.features), F.normalize(test)
        for draw in range(self.draws):
            order = drawn(train, draw)
            for shots in self.shots:
                some = [place for of_class in order for place in of_class[:shots]]
                l2 = 1 / (self.inverse_l2 * len(some))
                weights = logistic_regression(features[some], train.labels[some], classes, l2, self.iterations)
                yield f"shots{shots}", ranked(scores(scored, weights), 1)


def drawn(train: Images, draw: int) -> list[list[int]]:
    """For each class the places of its images, in the order in which a draw takes them."""
    order = sorted(range(len(train.names)), key=lambda place: share(f"{draw} {train.names[place]}"))
    labels = train.labels.tolist()
    of_classes: dict[int, list[int]] = {}
    for place in order:
        of_classes.setdefault(labels[place], []).append(place)
    return [of_classes[label] for label in sorted(of_classes)]
