"""A large batch with the learning rate scaled in proportion (sec. 3.1; Goyal et al. 2017): 0.1 x b / 256."""

from mmengine.config import Config

SLOTS = {"large batch": ("global_batch", "optim_wrapper.optimizer.lr")}

BASE_BATCH = 256  # "follow He et al. to choose 0.1 as the initial learning rate for batch size 256"


def large_batch(cfg: Config, batch: int = 1024) -> None:
    """Set the slots `global_batch` and `optim_wrapper.optimizer.lr`. 1024 is the paper's choice (Table 3)."""
    cfg.global_batch = batch
    cfg.optim_wrapper.optimizer.lr *= batch / BASE_BATCH
