"""Results to tables: one for each tier and set of protocols, a row a recipe, mean ± standard deviation over seeds.

A run (recipe and seed) enters a table only if every stage it has was scored under the table's protocols, so numbers of
two tiers, protocol hashes or sample counts never meet. Rows are ordered by top-1, as the paper's tables are: the
downstream columns then show at a glance whether they follow it.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product
from statistics import mean, stdev
from typing import NamedTuple

from .paper import Value, values_of
from .results import DIAGNOSTICS, METRICS, Result, changed_keys

TIERS = ("paper", "mini", "smoke")  # the order of the tables
COLUMNS = (*(name for names in METRICS.values() for name in names), *DIAGNOSTICS)
RANKED_BY = "top1"
PER_SEED = ("seed", "sha256")  # what seeds of one recipe may differ in: the sha256 is that of a card or a teacher


class Protocol(NamedTuple):
    """What makes two numbers comparable."""

    stage: str
    name: str
    hash: str
    samples: int


@dataclass(frozen=True)
class Cell:
    """A metric's mean over n seeds, and their standard deviation (n - 1 degrees of freedom; None where n = 1)."""

    mean: float
    sd: float | None
    n: int


@dataclass(frozen=True)
class Row:
    """A recipe: cells by metric (those it has), its size, and what the paper says of it (tier `paper` only)."""

    recipe: str
    cells: dict[str, Cell]
    params_m: float | None
    gmacs: float | None
    paper: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Rows that may be compared with each other."""

    tier: str
    protocols: tuple[Protocol, ...]
    rows: tuple[Row, ...]


def protocol(result: Result) -> Protocol:
    """Under which rules a result was scored."""
    return Protocol(result.stage, result.protocol, result.protocol_hash, result.samples_scored)


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
    """Results of one recipe and seed, together."""
    grouped = defaultdict(list)
    for result in results:
        grouped[result.recipe, result.seed].append(result)
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
    """The table of one tier and one set of protocols."""
    by_recipe: dict[str, list[Result]] = defaultdict(list)
    for run in runs(results):
        if any(choice <= chosen for choice in choices(run)):
            by_recipe[run[0].recipe] += [result for result in run if protocol(result) in chosen]
    rows = [row(recipe, some) for recipe, some in by_recipe.items()]
    stages = list(METRICS)
    return Table(
        tier,
        tuple(sorted(chosen, key=lambda each: stages.index(each.stage))),
        tuple(sorted(rows, key=lambda each: (-cell_mean(each, RANKED_BY), each.recipe))),
    )


def row(recipe: str, results: list[Result]) -> Row:
    """A recipe's row from its results, which have to be of one tier and one set of protocols."""
    values = defaultdict(list)
    for result in results:
        for metric in (*METRICS[result.stage], *DIAGNOSTICS):
            if metric in result.metrics:
                values[metric].append(result.metrics[metric])
    sized = [result for result in results if result.params_m is not None]
    return Row(
        recipe,
        {metric: cell(values[metric]) for metric in COLUMNS if metric in values},
        sized[0].params_m if sized else None,
        sized[0].gmacs if sized else None,
        values_of(recipe) if results[0].tier == "paper" else {},
    )


def cell(values: list[float]) -> Cell:
    """Mean and standard deviation of one metric over seeds."""
    return Cell(mean(values), stdev(values) if len(values) > 1 else None, len(values))


def cell_mean(row: Row, metric: str) -> float:
    """For ordering: what a row lacks comes last."""
    return row.cells[metric].mean if metric in row.cells else float("-inf")


def mixtures(results: Iterable[Result]) -> list[str]:
    """A line for each result whose config differs by more than the seed from the one it is averaged with."""
    first: dict[tuple, Result] = {}
    lines = []
    for result in sorted(results, key=lambda each: each.seed):
        one = first.setdefault((result.tier, result.recipe, protocol(result)), result)
        keys = [key for key in changed_keys(one.config, result.config) if key.split(".")[-1] not in PER_SEED]
        if keys:
            lines.append(
                f"{result.folder} differs from seed {one.seed}, with which it is averaged, in {', '.join(keys)}"
            )
    return lines
