"""What a row is held against: its control, the same network from the same initialisation, not trained.

And whether a trained network is one: a residual branch that nothing misses when it is off is dead.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trick_transfer.runs.result import Result

from ..table import YOURS
from .load import Scored

DEAD_BELOW = 2.0  # points of top-1: less, and the branches did next to nothing


def controls(configs: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """Trained row -> its control among the rows, by their classification's configs; of yours, else the reference's.

    The control's backbone has the same architecture and initialisation.
    """
    built = {
        name: backbone for name, config in configs.items() if (backbone := (config.get("model") or {}).get("backbone"))
    }
    untrained = [name for name in built if not is_trained(configs[name])]
    found = {}
    for name in built.keys() - {*untrained}:
        same = [each for each in untrained if built[each] == built[name]]
        mine = [each for each in same if each.endswith(YOURS) == name.endswith(YOURS)]
        if allowed := mine or (same if name.endswith(YOURS) else []):
            found[name] = allowed[0]
    return found


def is_trained(config: Mapping[str, Any]) -> bool:
    """Whether a network is trained, here or elsewhere, by its classification's config: a control's is not."""
    given = (config.get("model") or {}).get("given") or {}  # without a sha256, a network alone
    return config.get("max_epochs") != 0 or bool(given.get("sha256"))


def dead(runs: Sequence[Scored]) -> Iterator[str]:
    """One line for each trained network whose residual branches hardly matter."""
    for run in runs:
        branches = run.result.branches
        if branches and run.result.steps and top1(run.result) - branches["top1_off"] < DEAD_BELOW:
            change = f"top-1 {top1(run.result):.1f} -> {branches['top1_off']:.1f} with them off"
            yield f"{run.stored.name}: its residual branches are dead ({change}); train longer, or at a higher rate"


def top1(result: Result) -> float:
    """In percent."""
    return result.metrics["top1"]
