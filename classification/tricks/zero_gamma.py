"""Zero gamma (sec. 3.1; Goyal et al. 2017): each residual block starts as the identity, so the net starts shallow."""

from mmengine.config import Config

SLOTS = {"zero gamma": ("model.backbone.zero_gamma",)}


def zero_gamma(cfg: Config) -> None:
    """Set the slot `model.backbone.zero_gamma`. Raises ValueError where the backbone has no residual blocks."""
    if "zero_gamma" not in cfg.model.backbone:
        raise ValueError(f"zero_gamma: {cfg.model.backbone.type} has no residual blocks; set tricks.zero_gamma=None")
    cfg.model.backbone.zero_gamma = True
