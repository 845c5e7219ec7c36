"""The ledger of tricks: what switching one on changes in each metric, beside the paper's effect.

A step is a pair of rows whose classification configs differ in one trick, whether the paper compares them or not.
A verdict compares directions: *agrees* or *disagrees* with the sign of the paper's effect if our 95 % interval (seeds
and images, not adjusted for the number of steps) excludes 0; else, and where the noise between seeds is unknown, it
is *not decidable*; None where the paper has no number. Only the tier `paper` trains on the paper's data and as long, so
in other tiers the paper's effect stands beside ours without a verdict.
"""

from collections.abc import Mapping
from functools import cache
from itertools import chain, combinations, pairwise
from typing import Any, NamedTuple

from classification.tricks import SLOTS
from trick_transfer.engine.layers import changed_keys, leaves

from ..scores.comparable import PER_SEED
from ..table import YOURS, LedgerLine
from .tables import values_of

NETWORK = "ResNet"  # not a trick with a file: the network's own tweak, B, C or D
STEPS = SLOTS | {NETWORK: ("model.backbone.tweak",)}
COMPANIONS = {  # what the paper changes along with a trick: sec. 5.5 trains longer, and the teacher has mixup too
    "mixup": {"max_epochs", *(f"schedule.milestones.{place}" for place in range(3)), "model.teacher.recipe"},
}
UNDECIDED = "not decidable"
OFF = (None, False, "", "step", "OptimWrapper")


class Step(NamedTuple):
    """One trick switched on between two recipes."""

    trick: str
    without: str
    with_it: str


def stack(prefix: str, first: str, *rows: tuple[str, str]) -> list[Step]:
    """Rows (trick, name) that each add a trick to the one before."""
    names = [prefix + name for name in (first, *(name for _, name in rows))]
    return [Step(trick, *pair) for (trick, _), pair in zip(rows, pairwise(names), strict=True)]


def heuristics(batch: int, first: str, last: str) -> list[Step]:
    """A column of Table 4."""
    tricks = {"warm-up": "warmup", "zero gamma": "zero_gamma", "no bias decay": "no_bias_decay"}
    rows = [(trick, f"{name}_{batch}") for trick, name in tricks.items()]
    return stack("resnet50_", first, *rows, ("low precision", last))


TWEAKS = [(f"ResNet-{tweak.upper()}", f"{tweak}_efficient") for tweak in "bcd"]  # Table 5
REFINEMENTS = ("cosine decay", "cosine"), ("label smoothing", "smooth")  # sec. 5
LADDER = (  # what the paper's tables stack, row on row
    *heuristics(256, "baseline", "amp_256"),
    *stack("resnet50_", "baseline", ("large batch", "linear_1024")),
    *heuristics(1024, "linear_1024", "efficient"),
    *stack("resnet50", "_efficient", *TWEAKS),
    *(  # Tables 6, 8 and 9
        step
        for network in ("resnet50d_", "inception_v3_", "mobilenet_")
        for step in (
            *stack(network, "efficient", *REFINEMENTS, ("distillation", "distill"), ("mixup", "best")),
            *stack(network, "smooth", ("mixup", "mixup"), ("distillation", "best")),
        )
    ),
)


def steps(configs: Mapping[str, dict[str, Any]]) -> list[Step]:
    """All pairs of recipes that differ in one trick, from their classification configs."""
    flat = {name: {(key, repr(value)) for key, value in leaves(config)} for name, config in configs.items()}
    both = combinations(configs, 2)
    near = (pair for pair in both if all(may_switch(key) for key, _ in flat[pair[0]] ^ flat[pair[1]]))
    pairs = (pair for one, two in near for pair in ((one, two), (two, one)))
    return [Step(trick, *pair) for pair in pairs if (trick := switched(*(configs[name] for name in pair)))]


@cache
def may_switch(key: str) -> bool:
    """Whether a key may differ between recipes that differ in one trick; quickly, as 500 recipes make 125,000 pairs."""
    slots = {*chain(*STEPS.values(), *COMPANIONS.values())}
    related = (f"{key}.".startswith(f"{slot}.") or f"{slot}.".startswith(f"{key}.") for slot in slots)
    return key.split(".")[-1] in PER_SEED or any(related)


def switched(old: dict[str, Any], new: dict[str, Any]) -> str | None:
    """The trick that is on in `new` and off in `old`, if they differ in nothing else."""
    changed = {key for key in changed_keys(old, new) if key.split(".")[-1] not in PER_SEED}
    for trick, slot in STEPS.items():
        if set(slot) <= changed <= {*slot, *COMPANIONS.get(trick, ())}:
            before, after = (lookup(config, min(slot)) for config in (old, new))
            if strength(before) < strength(after):
                return trick if trick != NETWORK else f"{NETWORK}-{str(after).removeprefix(str(before)).upper()}"
    return None


def lookup(config: Any, dotted: str) -> Any:
    """The value of a dotted key, None where there is none."""
    for key in dotted.split("."):
        config = config.get(key) if isinstance(config, dict) else None
    return config


def strength(value: Any) -> float:
    """Orders the values of a slot: off, then numbers by size, texts and mappings by length."""
    if value in OFF:
        return 0
    return value if isinstance(value, int | float) else len(value)


def paper_effect(step: Step, metric: str) -> float | None:
    """The trick's effect in the paper on the step to the same recipe, in percent points."""
    for each in LADDER:
        if (each.trick, each.with_it) == (step.trick, step.with_it.removesuffix(YOURS)):
            before, after = (values_of(name).get(metric) for name in (each.without, each.with_it))
            if before and after:
                return round(after.value - before.value, 2)  # as printed; the rest is binary fractions'
    return None


def entry(step: Step, metric: str, effect: float, interval: tuple | None, n: int, tier: str) -> LedgerLine:
    """A line of the ledger; without interval, the noise between seeds is unknown."""
    said, (low, high) = paper_effect(step, metric), interval or (None, None)
    judged = None
    if tier == "paper" and said is not None:
        judged = verdict(said, low, high) if interval else UNDECIDED
    return LedgerLine(*step, metric, effect, low, high, n, said, judged)


def verdict(said: float, low: float, high: float) -> str:
    """On the direction of the paper's effect, from our interval."""
    if low <= 0 <= high:
        return UNDECIDED
    return "agrees" if (said > 0) == (low > 0) else "disagrees"
