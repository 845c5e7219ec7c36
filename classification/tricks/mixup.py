"""Mixup (sec. 5.4, eq. 7 and 8; Zhang et al. 2018): train on weighted sums of two examples only. Free, more epochs.

One lambda a global batch, as in mixup's own code and the paper's authors', who share it among all GPUs: it comes from
NumPy, which `engine.SeedEachStep` seeds alike everywhere. The partner is a random permutation of what one device holds;
the authors' code reverses that, which pairs the same way once the order is shuffled.
"""

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from trick_transfer.engine.values import check_slot

SLOTS = {"mixup": ("model.mix",)}


def mixup(cfg: Config, alpha: float = 0.2) -> None:
    """Set the slot `model.mix`."""
    cfg.model.mix = dict(alpha=alpha)


def check_mix(cfg: Config) -> None:
    """Raise ValueError for an alpha that is not positive."""
    mix = cfg.model.mix
    if mix is None:
        return
    check_slot("mixup", mix, {"alpha": float})
    if not 0 < mix["alpha"] < float("inf"):
        raise ValueError(f"mixup: alpha of Beta(alpha, alpha) must be positive and finite, got {mix['alpha']}")


def mix_up(images: Tensor, targets: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Images (N, 3, H, W) and probabilities (N, K), mixed with a partner by one lambda ~ Beta(alpha, alpha)."""
    share = float(np.random.beta(alpha, alpha))
    partner = torch.randperm(len(images), device=images.device)
    return images.lerp(images[partner], 1 - share), targets.lerp(targets[partner], 1 - share)
