"""No bias decay (sec. 3.1; Jia et al. 2018): only weights of convolutions and fully-connected layers are decayed."""

from mmengine.config import Config

SLOTS = {"no bias decay": ("optim_wrapper.paramwise_cfg",)}


def no_bias_decay(cfg: Config) -> None:
    """Set the slot `optim_wrapper.paramwise_cfg`: biases, and gamma and beta of BN, are left unregularised."""
    cfg.optim_wrapper.paramwise_cfg = dict(bias_decay_mult=0.0, norm_decay_mult=0.0)
