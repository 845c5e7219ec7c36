"""Which results may be compared: a table for each tier and set of protocols, in it a row for each recipe.

A run (a backbone and all that was fine-tuned from it) enters a table only if every stage it has was scored under the
table's protocols, so numbers of two tiers, protocol hashes, data or sample counts never meet.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from trick_transfer.engine.layers import changed_keys
from trick_transfer.runs.result import Result
from trick_transfer.stages import STAGES

TIERS = ("paper", "mini", "smoke")  # the order of the tables
PER_SEED = ("seed", "sha256")  # what seeds of one recipe may differ in: the sha256 is that of a card or a teacher


class Protocol(NamedTuple):
    """What makes two numbers comparable."""

    stage: str
    name: str
    hash: str
    data: str  # sha256 of its manifest
    samples: int


@dataclass(frozen=True)
class Table:
    """Results that may be compared with each other, by recipe."""

    tier: str
    protocols: tuple[Protocol, ...]
    rows: dict[str, list[Result]]


def protocol(result: Result) -> Protocol:
    """Under which rules a result was scored."""
    return Protocol(result.stage, result.protocol, result.protocol_hash, result.data_manifest, result.samples_scored)


def tables(results: Iterable[Result]) -> list[Table]:
    """All tables, by tier, the fullest first."""
    by_tier = defaultdict(list)
    for result in results:
        by_tier[result.tier].append(result)
    made = [table(tier, chosen, some) for tier, some in by_tier.items() for chosen in protocol_sets(some)]
    return sorted(made, key=lambda each: (tier_rank(each.tier), -len(each.protocols), -len(each.rows), each.protocols))


def tier_rank(tier: str) -> tuple[int, str]:
    """Known tiers in their order, then others by name."""
    return (TIERS.index(tier) if tier in TIERS else len(TIERS), tier)


def runs(results: Iterable[Result]) -> list[list[Result]]:
    """Results of one recipe and backbone, together."""
    grouped = defaultdict(list)
    for result in results:
        grouped[result.recipe, result.backbone_seed].append(result)
    return list(grouped.values())


def choices(run: list[Result]) -> list[frozenset[Protocol]]:
    """The sets with one protocol for each stage the run has: several, if a stage was scored under several."""
    stages = defaultdict(set)
    for result in run:
        stages[result.stage].add(protocol(result))
    return [frozenset(chosen) for chosen in product(*stages.values())]


def protocol_sets(results: list[Result]) -> list[frozenset[Protocol]]:
    """The sets that some run was scored under; a run with a part of a set has gaps there, and no table of its own."""
    found = {chosen for run in runs(results) for chosen in choices(run)}
    return [chosen for chosen in found if not any(chosen < other for other in found)]


def table(tier: str, chosen: frozenset[Protocol], results: list[Result]) -> Table:
    """The table of one tier and one set of protocols; its rows are by recipe's name."""
    rows: dict[str, list[Result]] = defaultdict(list)
    for run in runs(results):
        if any(choice <= chosen for choice in choices(run)):
            rows[run[0].recipe] += [result for result in run if protocol(result) in chosen]
    stages = list(STAGES)
    return Table(
        tier,
        tuple(sorted(chosen, key=lambda each: stages.index(each.stage))),
        {name: rows[name] for name in sorted(rows)},
    )


def doubts(results: Sequence[Result]) -> list[str]:
    """A line for each result that is averaged with one of another kind, or whose backbone has no result."""
    first: dict[tuple, Result] = {}
    backbones = {(each.tier, each.recipe, each.seed) for each in results if each.stage == "classification"}
    recipes = {(tier, recipe) for tier, recipe, _ in backbones}
    lines = []
    for result in sorted(results, key=lambda each: each.seed):
        one = first.setdefault((result.tier, result.recipe, protocol(result)), result)
        keys = [key for key in changed_keys(kind(one), kind(result)) if key.split(".")[-1] not in PER_SEED]
        if keys:
            lines.append(
                f"{result.folder} differs from seed {one.seed}, with which it is averaged, in {', '.join(keys)}"
            )
        who = result.tier, result.recipe
        if who in recipes and (*who, result.backbone_seed) not in backbones:
            lines.append(f"{result.folder}: its backbone's result is missing, other seeds have theirs")
    return lines


def kind(result: Result) -> dict[str, Any]:
    """What is alike in all seeds of a recipe, but for `PER_SEED`."""
    return result.config | {"precision": result.precision, "dirty": result.dirty}
