"""The bag of tricks: one file a trick, each the owner of its own slots in the Config, so that they commute."""

from collections.abc import Callable
from inspect import getmodule, signature
from typing import get_type_hints

from mmengine.config import Config

from trick_transfer.engine.values import check_name, nearest

from .amp import amp
from .distillation import distillation
from .label_smoothing import label_smoothing
from .large_batch import large_batch
from .mixup import mixup
from .no_bias_decay import no_bias_decay
from .schedule import schedule
from .zero_gamma import zero_gamma

# in the paper's order (Tables 4 and 6)
BAG: dict[str, Callable[..., None]] = {
    "large_batch": large_batch,
    "zero_gamma": zero_gamma,
    "no_bias_decay": no_bias_decay,
    "amp": amp,
    "schedule": schedule,
    "label_smoothing": label_smoothing,
    "distillation": distillation,
    "mixup": mixup,
}
# the keys of the Config that each sets, by the paper's name of the trick: each file declares its own
SLOTS: dict[str, tuple[str, ...]] = {
    name: keys for switch in BAG.values() for name, keys in vars(getmodule(switch))["SLOTS"].items()
}


def apply(cfg: Config, tricks: dict[str, dict | None]) -> None:
    """Switch on each trick whose options are not None. Raises ValueError for a trick or option that does not exist."""
    for name, options in tricks.items():
        check_name("trick", name, BAG)
        if options is None:
            continue
        if not isinstance(options, dict):
            raise ValueError(f"trick {name} takes options by name, or None to leave it out, not {options!r}")
        known = list(signature(BAG[name]).parameters)[1:]
        for option in options:
            if option not in known:
                raise ValueError(f"trick {name} has no option {option!r}; {nearest(option, known or ['none'])}")
            kind = get_type_hints(BAG[name])[option]
            if not isinstance(options[option], int | float if kind is float else kind):
                raise ValueError(f"trick {name}: {option} is a {kind.__name__}, not {options[option]!r}")
        BAG[name](cfg, **options)
