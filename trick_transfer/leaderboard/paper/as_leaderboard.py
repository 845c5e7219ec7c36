"""The paper's numbers as tables of the leaderboard: each from one run, without its noise or its images."""

from collections.abc import Mapping

from trick_transfer.stages import metrics

from ..statistics.rows import tabulated
from ..table import Cell, Protocol, Row, Table, Value
from .ladder import LADDER, entry, paper_effect
from .numbers import SOURCES, values_of
from .tables import SIZES

TIER = "published"
IMAGENET = Protocol("classification", "imagenet", None, None, 50_000)
PLACES = Protocol("classification", "places365", None, None, 36_500)
VOC = Protocol("detection", "faster_rcnn_voc", None, None, 4952)
ADE20K = Protocol("segmentation", "fcn_ade20k", None, None, 2000)
OF_PLACES = "Table 7"


def published() -> tuple[Table, Table]:
    """The table of ImageNet and what was fine-tuned from it, and that of Places365."""
    said = {recipe: values_of(recipe) for _, _, rows in SOURCES for recipe in rows}
    places = {recipe: values for recipe, values in said.items() if values["top1"].table == OF_PLACES}
    rest = {recipe: values for recipe, values in said.items() if recipe not in places}
    return table((IMAGENET, VOC, ADE20K), rest), table((PLACES,), places)


def table(protocols: tuple[Protocol, ...], said: Mapping[str, Mapping[str, Value]]) -> Table:
    """One table of the paper's numbers, with the ledger of the steps that it has."""
    ledger = tuple(
        entry(step, name, effect, None, decidable=False, n=1)
        for step in LADDER
        for name in metrics()
        if step.with_it in said and (effect := paper_effect(step, name)) is not None
    )
    return tabulated(TIER, protocols, [row(*each) for each in said.items()], ledger=ledger)


def row(recipe: str, values: Mapping[str, Value]) -> Row:
    """A recipe's numbers."""
    params_m, gmacs = (values[name].value if name in values else None for name in SIZES)
    cells = {name: Cell(values[name].value, paper=values[name]) for name in metrics() if name in values}
    return Row(recipe, params_m, gmacs, None, cells)
