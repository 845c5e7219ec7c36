"""Mixup (sec. 5.4, eq. 7 and 8; Zhang et al. 2018): train on weighted sums of two examples only. Needs more epochs.

A step costs no more. One lambda per global batch, as in mixup's own code and that of the paper's authors, who share it
among all GPUs: it comes from NumPy, which `engine.SeedEachStep` seeds alike in every process. The partners are a random
permutation of one device's images; the authors' code reverses their order, which is equivalent for shuffled images.
"""

from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from trick_transfer.engine.values import check_slot

SLOTS = {"mixup": ("model.mix",)}


def mixup(cfg: Config, alpha: float = 0.2) -> None:
    """Set the slot `model.mix`."""
    cfg.model.mix = dict(alpha=alpha)


def check_mix(mix: Any) -> None:
    """Raise ValueError for an alpha that is not positive and finite."""
    check_slot("mixup", mix, {"alpha": float})
    if not 0 < mix["alpha"] < float("inf"):
        raise ValueError(f"mixup: alpha of Beta(alpha, alpha) must be positive and finite, got {mix['alpha']}")


def mix_up(images: Tensor, targets: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Images (N, 3, H, W) and probabilities (N, K), mixed with a partner by one lambda ~ Beta(alpha, alpha)."""
    share = float(np.random.beta(alpha, alpha))
    partner = torch.randperm(len(images), device=images.device)
    return images.lerp(images[partner], 1 - share), targets.lerp(targets[partner], 1 - share)
