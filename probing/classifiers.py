"""Classifiers on features: logistic regression and weighted nearest neighbours, on any device, without randomness."""

import torch
from torch import Tensor
from torch.nn import functional as F

HISTORY = 10  # of L-BFGS, as in SciPy's and so in scikit-learn's
EPS = 1e-6  # as in the source's batch norm
CHUNK = 256  # images whose similarities to all others are in memory at a time


@torch.enable_grad()
def logistic_regression(
    features: Tensor, labels: Tensor, classes: int, l2: float, iterations: int, start: Tensor | None = None
) -> Tensor:
    """(N, C), (N,) -> (C + 1, classes), the bias last, of the least mean cross entropy + l2 / 2 x |weights|^2.

    By L-BFGS, from zeros or from `start`. So does scikit-learn's LogisticRegression, with C = 1 / (l2 x N).
    """
    shape = features.shape[1] + 1, classes
    weights = (features.new_zeros(shape) if start is None else start.clone()).requires_grad_()
    optimiser = torch.optim.LBFGS(
        [weights], max_iter=iterations, history_size=HISTORY, line_search_fn="strong_wolfe", tolerance_grad=1e-5
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.cross_entropy(scores(features, weights), labels) + l2 / 2 * weights[:-1].square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    return weights.detach()


def scores(features: Tensor, weights: Tensor) -> Tensor:
    """(N, C), (C + 1, classes) -> (N, classes)."""
    return torch.addmm(weights[-1], features, weights[:-1])


def standardised(features: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """Each of the features with mean 0 and variance 1 over the first images, as batch norm without affine has it.

    So one range of `l2` does for networks whose features differ in scale (He et al. 2022, "Masked Autoencoders", A.1).
    """
    mean, std = features.mean(0), (features.var(0, correction=0) + EPS).sqrt()
    return tuple((each - mean) / std for each in (features, *others))


def nearest_neighbours(
    train: Tensor, labels: Tensor, test: Tensor, classes: int, neighbours: int, temperature: float
) -> Tensor:
    """(N, classes): the votes of the nearest training images by cosine, each weighted by exp(cosine / temperature).

    Wu et al. 2018, "Unsupervised Feature Learning via Non-Parametric Instance Discrimination", sec. 3.4.
    """
    train, test = F.normalize(train), F.normalize(test)
    votes = test.new_zeros(len(test), classes)
    for part, counted in zip(test.split(CHUNK), votes.split(CHUNK), strict=True):
        cosine, at = (part @ train.T).topk(min(neighbours, len(train)))
        counted.scatter_add_(1, labels[at], (cosine / temperature).exp())
    return votes


def ranked(scores: Tensor, kept: int) -> Tensor:
    """(N, classes) -> (N, kept): the best classes first; of equal ones the lower number."""
    return scores.sort(dim=1, descending=True, stable=True).indices[:, :kept]
