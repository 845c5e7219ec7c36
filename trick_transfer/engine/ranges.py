"""Which numbers a Config may hold, by their keys' last words."""

from collections.abc import Iterator
from math import inf
from typing import Any

from mmengine.config import Config

from .layers import leaves
from .values import check_whole

COUNTS = {  # the least whole number, by a key's last word
    **dict.fromkeys(("batch_size", "global_batch", "num_batch_per_epoch", "num_train", "num_val", "num_classes"), 1),
    **dict.fromkeys(("size_px", "shorter_px", "channels", "feat_channels", "val_begin", "version"), 1),
    **dict.fromkeys(("num", "nms_pre", "max_per_img"), 1),
    **dict.fromkeys(("max_epochs", "num_workers", "patience"), 0),
}
RANGES = {  # by a key's last word; all other numbers are finite
    **dict.fromkeys(("lr", "weight_decay", "loss_weight", "warmup_epochs", "milestones"), (0, inf)),
    **dict.fromkeys(("momentum", "prob", "dropout_ratio"), (0, 1)),
    "std": (1e-6, inf),
    "share": (0.001, 0.9),  # of the training images
}


def check_numbers(cfg: Config) -> None:
    """Raise ValueError for a number that no training can mean, wherever it is: see COUNTS and RANGES."""
    for key, value in leaves(cfg.to_dict()):
        word = key.split(".")[-1]
        low, high = RANGES.get(word, (-inf, inf))
        for number in flat(value):
            if word in COUNTS and number is not None:
                check_whole(key, number, COUNTS[word])
            elif isinstance(number, int | float) and not (low <= number <= high and abs(number) < inf):
                limits = [f">= {low}"] * (low > -inf) + [f"<= {high}"] * (high < inf)
                raise ValueError(f"{key} must be {' and '.join([*limits, 'finite'])}, got {number!r}")


def flat(value: Any) -> Iterator[Any]:
    """A value, or those of a list within lists."""
    if isinstance(value, list | tuple):
        for each in value:
            yield from flat(each)
    else:
        yield value
