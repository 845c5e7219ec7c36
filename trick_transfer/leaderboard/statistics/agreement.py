"""Is the order of rows on one tier, or under one protocol, that on another: Kendall's tau over the rows that both have.

Noise pulls a tau of measured scores towards 0, and resampled scores have the noise twice: the percentiles of a
bootstrapped tau hold a true 1 rarely or never (docs/statistics.md). So the bounds here follow from the pairs of rows
that are separated on both sides, by the tables' own test of a pair (the bootstrap of images, the noise between seeds,
Holm over all pairs, half of 5 % for each side): those are in one order, all others may be in either.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, product

import numpy as np
from scipy import stats

from trick_transfer.stages import BACKBONE, metrics

from ..scores.comparable import Group
from ..scores.load import by_backbone
from ..table import YOURS, Agreement, Cell, Row, Table
from .bootstrap import ALPHA
from .comparison import Sample, compare, level
from .correlation import ORDERED_ROWS
from .rows import sample

Board = tuple[Group, Table]


def agreements(boards: Sequence[Board]) -> Iterator[Agreement]:
    """Of each two tiers, and of each two protocols of a stage on one tier and its data; of each the first table."""
    tiers: dict[str, Board] = {}
    protocols: dict[tuple, dict[str, Board]] = {}
    for board in boards:
        tiers.setdefault(board[0].tier, board)
        for each in board[0].protocols:
            protocols.setdefault((board[0].tier, each.data, each.stage), {}).setdefault(each.name, board)
    for pair in combinations(tiers.values(), 2):
        yield from compared(*pair)
    for (*_, stage), found in protocols.items():
        for pair in combinations(found.values(), 2):
            yield from compared(*pair, stage)


def compared(one: Board, two: Board, stage: str | None = None) -> Iterator[Agreement]:
    """In each metric that both tables have, in their order; of one stage's protocols in all that measure the same."""
    for ours, theirs in product(one[1].metrics, two[1].metrics):
        alike = stage == ours.stage == theirs.stage and ours.measure == theirs.measure != ""
        if alike or ours == theirs and stage in (None, ours.stage):
            yield agreement((ours.name, theirs.name), ours.stage, one, two)


def agreement(names: tuple[str, str], stage: str, one: Board, two: Board) -> Agreement:
    """In one metric of a stage for each side."""
    sides = [*zip((one, two), names, strict=True)]
    rows = [ordered(table, metric, stage) for (_, table), metric in sides]
    recipes = [recipe for recipe in rows[0] if recipe in rows[1]]
    cells = {recipe: (rows[0][recipe].cells[names[0]], rows[1][recipe].cells[names[1]]) for recipe in recipes}
    rules = [next(each.name for each in group.protocols if each.stage == stage) for group, _ in (one, two)]
    bare = Agreement((one[0].tier, two[0].tier), names, (rules[0], rules[1]), cells, ranks(names[0], cells))
    if len(recipes) < ORDERED_ROWS:
        return bare
    drawn = [
        [sample(by_backbone(group.rows[row[recipe].recipe], metric), metric) for recipe in recipes]
        for ((group, _), metric), row in zip(sides, rows, strict=True)
    ]
    return bounded(bare, *drawn)


def ranks(metric: str, cells: dict[str, tuple[Cell, Cell]]) -> dict[str, tuple[int, int]]:
    """Each row's rank among these on both sides, 1 for the best."""
    sign = -1 if metrics()[metric].better == "higher" else 1
    sides = [stats.rankdata([sign * pair[side].mean for pair in cells.values()], "min").tolist() for side in (0, 1)]
    return {recipe: (int(one), int(two)) for recipe, one, two in zip(cells, *sides, strict=True)}


def ordered(table: Table, metric: str, stage: str) -> dict[str, Row]:
    """A table's rows with a metric by recipe: the reference's, or your own where it has none.

    Without untrained ones where the stage trains the backbone: their scores are chance.
    """
    there = [row for row in table.rows if metric in row.cells and (row.trained or stage != BACKBONE.name)]
    by_owner = sorted(there, key=lambda row: not row.recipe.endswith(YOURS))
    return {row.recipe.removesuffix(YOURS): row for row in by_owner}


def bounded(bare: Agreement, one: Sequence[Sample | None], two: Sequence[Sample | None]) -> Agreement:
    """With tau and, where both sides' outputs are there, its bounds."""
    means = np.array([[cell.mean for cell in pair] for pair in bare.cells.values()])
    tau = float(stats.kendalltau(*means.T).statistic)
    if np.isnan(tau):  # all rows have one score
        return bare
    sampled = [[each for each in some if each] for some in (one, two)]
    if any(len(some) < len(means) for some in sampled):
        return replace(bare, tau=tau)
    known = separated(sampled[0]) * separated(sampled[1])
    same, other = (int((known == sign).sum()) // 2 for sign in (1, -1))  # each pair is there twice
    low, high = ((same - other + side * (bare.pairs - same - other)) / bare.pairs for side in (-1, 1))
    return replace(
        bare,
        tau=tau,
        low=min(low, tau),
        high=max(high, tau),
        same=same,
        reversed=other,
        levels=(level(sampled[0]), level(sampled[1])),
    )


def separated(samples: Sequence[Sample]) -> np.ndarray:
    """(rows, rows): 1 where a row is above the column's with certainty, -1 where it is below, else 0."""
    compared = compare([str(place) for place in range(len(samples))], samples)
    return np.sign(compared.difference) * (compared.p_holm < ALPHA / 2)
