"""A large batch with the learning rate scaled in proportion (sec. 3.1; Goyal et al. 2017): 0.1 x b / 256."""

from mmengine.config import Config

from trick_transfer.engine.values import check_whole

SLOTS = {"large batch": ("global_batch", "optim_wrapper.optimizer.lr")}

BASE_BATCH = 256  # "follow He et al. to choose 0.1 as the initial learning rate for batch size 256"


def large_batch(cfg: Config, batch: int = 1024) -> None:
    """Set the slots `global_batch` and `optim_wrapper.optimizer.lr`. 1024 is the paper's choice (Table 3)."""
    cfg.global_batch = batch
    cfg.optim_wrapper.optimizer.lr *= batch / BASE_BATCH


def check_batch(cfg: Config) -> None:
    """Raise ValueError for a batch below 1, or a learning rate that is negative or infinite."""
    batch, rate = cfg.global_batch, cfg.optim_wrapper.optimizer.lr
    check_whole("global_batch", batch, least=1)
    if not 0 <= rate < float("inf"):
        raise ValueError(f"optim_wrapper.optimizer.lr must be >= 0 and finite, got {rate!r}")
