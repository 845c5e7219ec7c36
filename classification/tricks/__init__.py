"""The bag of tricks: one file per trick; each sets only its own slots in the Config, so that tricks commute."""

from collections.abc import Callable
from inspect import getmodule, signature
from typing import Any, get_type_hints

from mmengine.config import Config

from trick_transfer.engine.values import check_name

from .amp import amp
from .distillation import check_teacher, distillation
from .label_smoothing import check_smoothing, label_smoothing
from .large_batch import large_batch
from .mixup import check_mix, mixup
from .no_bias_decay import no_bias_decay
from .schedule import check_schedule, schedule
from .zero_gamma import zero_gamma

# in the paper's order (Tables 4 and 6)
TRICKS = (large_batch, zero_gamma, no_bias_decay, amp, schedule, label_smoothing, distillation, mixup)
BAG: dict[str, Callable[..., None]] = {trick.__name__: trick for trick in TRICKS}
CHECKS = {"smoothing": check_smoothing, "teacher": check_teacher, "mix": check_mix}  # of the model's slots that are set
# the keys of the Config that each sets, by the paper's name of the trick: each file declares its own
SLOTS: dict[str, tuple[str, ...]] = {
    name: keys for switch in BAG.values() for name, keys in vars(getmodule(switch))["SLOTS"].items()
}


def switch(cfg: Config, name: str, options: dict[str, Any]) -> None:
    """Switch on one trick. Raises ValueError for an unknown option, or a value of another type."""
    if not isinstance(options, dict):
        raise ValueError(f"trick {name} takes options by name, or None to leave it out, not {options!r}")
    own = signature(BAG[name]).parameters
    known = list(own)[1:]
    for option, value in options.items():
        check_name(f"option of trick {name}", option, known)
        kind = get_type_hints(BAG[name])[option]
        if not isinstance(value, int | float if kind is float else kind):
            raise ValueError(f"trick {name}: {option} must be a {kind.__name__}, got {value!r}")
    for option in known:
        if option not in options and own[option].default is own[option].empty:
            raise ValueError(f"trick {name} needs {option}: --set tricks.{name}.{option}=...")
    BAG[name](cfg, **options)


def check_tricks(cfg: Config) -> None:
    """Raise ValueError for values that a trick's slot cannot hold; a slot can be set without its trick."""
    check_schedule(cfg)
    for slot, check in CHECKS.items():
        if cfg.model[slot] is not None:
            check(cfg.model[slot])
