"""Is the order of rows on one tier, or under one protocol, that on another: in words; no number is computed."""

from collections.abc import Iterator, Sequence

from trick_transfer.stages import metrics

from ..statistics.comparison import BORROWED, IMAGES
from ..statistics.correlation import ORDERED_ROWS
from ..table import Agreement, Analysis, Cell
from .text import ABSENT, between

CAPTION = (
    "Kendall's tau over the rows that both have (in classification the trained ones) and its 95 % bounds: the "
    "range of tau that the pairs which are separated on both allow. Noise pulls a measured tau towards 0. The rows are "
    "these recipes: nothing is said of others."
)


def title(some: Sequence[Agreement]) -> str:
    """A heading."""
    (one, two), tier = some[0].sides, some[0].tiers[0]
    if some[0].sides == some[0].tiers:
        return f"Is the order on {one} the order on {two}?"
    return f"Is the order under {one} the order under {two}? ({tier})"


def of_ranks(some: Sequence[Agreement]) -> str:
    """A heading of `ranks`."""
    return f"Ranks among these rows, {' → '.join(some[0].sides)}"


def shown(analysis: Analysis) -> Iterator[list[Agreement]]:
    """The agreements of each two sides that share enough rows in some metric; `smoke` only shows that the code runs."""
    for pair in dict.fromkeys((each.tiers, each.sides) for each in analysis.agreements if "smoke" not in each.tiers):
        found = [each for each in analysis.agreements if (each.tiers, each.sides) == pair]
        if any(each.tau is not None for each in found):
            yield found


def answer(each: Agreement) -> str:
    """Of one metric."""
    if len(each.cells) < ORDERED_ROWS:
        return f"Not known: {len(each.cells)} rows are in both, {ORDERED_ROWS} are needed."
    if each.tau is None:
        return "Not known: all rows have the same score."
    if each.same is None or each.reversed is None:
        return "Not known for certain: the stored outputs do not have it, so no pair is known to be separated."
    known = each.same + each.reversed
    if each.reversed:
        return f"No: of {known} pairs that are separated on both, {each.reversed} are in the opposite order."
    if known == each.pairs:
        return f"Yes: all {known} pairs are separated on both, and in the same order."
    if known:
        return f"As far as is known: {known} of {each.pairs} pairs are separated on both, all in the same order."
    return f"Not known: none of {each.pairs} pairs is separated on both."


def lines(some: Sequence[Agreement]) -> list[list[str]]:
    """One line per metric."""
    of_tiers = ["protocols"] if some[0].sides == some[0].tiers else []
    head = ["metric", "tau", "rows", "pairs alike, opposite, open", "seeds a row", *of_tiers, "answer"]
    return [head, *(line(each) for each in some)]


def label(each: Agreement) -> str:
    """Of its metric, or of both."""
    return " → ".join(dict.fromkeys(metrics()[name].label for name in each.metrics))


def line(each: Agreement) -> list[str]:
    """A metric's."""
    tau = ABSENT if each.tau is None else f"{each.tau:.2f} {between(each.low, each.high, 2)}".rstrip()
    pairs = ABSENT
    if each.same is not None and each.reversed is not None:
        pairs = f"{each.same}, {each.reversed}, {each.pairs - each.same - each.reversed}"
    seeds = "; ".join(spread([pair[side] for pair in each.cells.values()]) for side in (0, 1))
    rules = ["; ".join(dict.fromkeys(each.protocols))] if each.sides == each.tiers else []
    return [label(each), tau, str(len(each.cells)), pairs, seeds, *rules, answer(each)]


def spread(cells: Sequence[Cell]) -> str:
    """3, or 1 to 3."""
    counts = sorted({cell.n for cell in cells})
    return " to ".join(dict.fromkeys(map(str, (counts[0], counts[-1])))) if counts else ABSENT


def notes(some: Sequence[Agreement]) -> list[str]:
    """What the bounds do not contain, where a side has rows of one seed."""
    found = {(side, level) for each in some for side, level in zip(each.sides, each.levels, strict=True)}
    said = {
        IMAGES: "has one seed a row: the bounds hold the noise of its images, not what another seed would change.",
        BORROWED: "has rows of one seed, which borrow the noise of its others.",
    }
    return [f"{side} {said[level]}" for side, level in sorted(found) if level in said]


def ranks(some: Sequence[Agreement]) -> list[list[str]]:
    """One line per row: how its rank in each metric moves."""
    recipes = dict.fromkeys(recipe for each in some for recipe in each.ranks)
    moves = [{recipe: f"{one} → {two}" for recipe, (one, two) in each.ranks.items()} for each in some]
    head = ["recipe", *map(label, some)]
    return [head, *([recipe, *(found.get(recipe, ABSENT) for found in moves)] for recipe in recipes)]
