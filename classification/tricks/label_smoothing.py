"""Label smoothing (sec. 5.2, eq. 4; Szegedy et al. 2016): the best output is finite, hence less over-fitting. No cost.

Eq. 4 gives the true class 1 - eps and each other class eps / (K - 1). The authors' code gives 1 - eps + eps / K and
eps / K (`form="authors"`, as in torch). At K = 1000 both are the same; at small K they differ.
"""

from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from trick_transfer.engine.values import check_name, check_slot

SLOTS = {"label smoothing": ("model.smoothing",)}

FORMS = {"paper": 1, "authors": 0}  # of the K classes, how many get no part of eps


def label_smoothing(cfg: Config, eps: float = 0.1, form: str = "paper") -> None:
    """Set the slot `model.smoothing`."""
    cfg.model.smoothing = dict(eps=eps, form=form)


def check_smoothing(smoothing: Any) -> None:
    """Raise ValueError for an unknown form or an eps outside [0, 1)."""
    check_slot("label_smoothing", smoothing, {"eps": float, "form": str})
    check_name("label_smoothing: form", smoothing["form"], FORMS)
    if not 0 <= smoothing["eps"] < 1:
        raise ValueError(f"label_smoothing: eps must be in [0, 1), got {smoothing['eps']}")


def smooth(labels: Tensor, num_classes: int, eps: float, form: str) -> Tensor:
    """Labels (N,) -> probabilities (N, num_classes)."""
    others = eps / (num_classes - FORMS[form])
    true = 1 - others * (num_classes - 1)
    targets = torch.full((len(labels), num_classes), others, device=labels.device)
    return targets.scatter_(1, labels[:, None], true)
