"""The paper's numbers as tables of the leaderboard: each from one run, without its noise or its images."""

from collections.abc import Sequence

from trick_transfer.stages import metrics

from ..statistics.rows import tabulated
from ..table import Cell, Protocol, Row, Table
from .ladder import LADDER, entry, paper_effect
from .tables import SIZES, TABLES, values_of

TIER = "published"
IMAGENET = Protocol("classification", "imagenet", None, None, 50_000)
PLACES = Protocol("classification", "places365", None, None, 36_500)
VOC = Protocol("detection", "faster_rcnn_voc", None, None, 4952)
ADE20K = Protocol("segmentation", "fcn_ade20k", None, None, 2000)


def published() -> tuple[Table, Table]:
    """The table of ImageNet and what was fine-tuned from it, and that of Places365."""
    recipes = dict.fromkeys(recipe for table in TABLES.values() for recipe in table.rows)
    places = TABLES["table7"].rows
    rest = [recipe for recipe in recipes if recipe not in places]
    return of_recipes((IMAGENET, VOC, ADE20K), rest), of_recipes((PLACES,), [*places])


def of_recipes(protocols: tuple[Protocol, ...], recipes: Sequence[str]) -> Table:
    """One table of the paper's numbers, with the ledger of the steps that it has."""
    ledger = tuple(
        entry(step, name, effect, None, 1, TIER)
        for step in LADDER
        for name in metrics()
        if step.with_it in recipes and (effect := paper_effect(step, name)) is not None
    )
    return tabulated(TIER, protocols, map(row, recipes), ledger=ledger)


def row(recipe: str) -> Row:
    """A recipe's numbers."""
    said = values_of(recipe)
    params_m, gmacs = (said[name].value if name in said else None for name in SIZES)
    cells = {name: Cell(said[name].value, paper=said[name]) for name in metrics() if name in said}
    return Row(recipe, params_m, gmacs, None, cells)
