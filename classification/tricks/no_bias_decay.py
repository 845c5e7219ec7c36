"""No bias decay (sec. 3.1; Jia et al. 2018): only weights of convolutions and fully-connected layers are decayed."""

from mmengine.config import Config

SLOTS = {"no bias decay": ("optim_wrapper.paramwise_cfg",)}


def no_bias_decay(cfg: Config) -> None:
    """Set the slot `optim_wrapper.paramwise_cfg`: all else is left unregularised, such as biases, gamma and beta.

    Of networks that the paper does not have, also layer scales, position embeddings and tables of position biases.
    """
    cfg.optim_wrapper.paramwise_cfg = dict(decay_weights_only=True)
