"""The paper's tables with our numbers beside its own: the leaderboard's rows and cells in the paper's layout."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from trick_transfer.runs.result import Result
from trick_transfer.stages import metrics

from ..paper.tables import TABLES, PaperColumn
from ..table import Protocol, Row, Table
from .text import ABSENT, entry, header

TIER_NOTES = {
    "mini": "Ours are of `mini`, synthetic scenes; the paper's of ImageNet, VOC, ADE20K: compare orders, not numbers.",
    "smoke": "Ours are of `smoke`, two steps of training: they show that the code runs.",
}
STAR = "*: scored under other rules (such as 299 px) than the other rows, and not to be compared with them."


@dataclass(frozen=True)
class Beside:
    """A table of the paper, ready to be written: its headings, then its rows."""

    title: str
    lines: list[list[str]]
    notes: list[str]


def beside(
    name: str, tables: Sequence[Table], tier: str, sizes: Mapping[str, Mapping[str, float]] | None = None
) -> Beside:
    """A table of the paper beside the rows of a tier's tables, the fullest first; `sizes` for recipes without a row.

    A row scored under other protocols than those of the first table has a star: the two are not comparable.
    """
    layout = TABLES[name]
    rows: dict[str, Row] = {}
    starred: set[str] = set()
    rules: list[tuple[Protocol, ...]] = []
    for table in tables:
        if new := {row.recipe: row for row in table.rows if row.recipe in layout.recipes and row.recipe not in rows}:
            rows |= new
            rules.append(tuple(each for each in table.protocols if each.stage in layout.stages))
            starred |= new.keys() if rules[-1] != rules[0] else set()
    for recipe, counted in (sizes or {}).items():
        rows.setdefault(recipe, Row(recipe, counted["params_m"], counted["gmacs"], None, {}))
    lines = [["recipe"], *([recipe + " *" * (recipe in starred)] for recipe in layout.recipes)]
    for column in layout.columns:
        if column.metric:
            lines[0].append(header(column.metric))
        if column.paper:
            lines[0].append(column.label)
        for line, recipe in zip(lines[1:], layout.recipes, strict=True):
            line += [entry(rows.get(recipe), column.metric, letters=False)] if column.metric else []
            line += [printed(column, recipe)] if column.paper else []
    said = dict.fromkeys(f"{p.stage} {p.name} ({str(p.hash)[:8]}, {p.samples} scored)" for some in rules for p in some)
    ours = "; ".join(said)
    elsewhere = layout.elsewhere if tier != "paper" else ""
    notes = [
        f"Ours: {ours}." if ours else "",
        STAR if starred else "",
        TIER_NOTES.get(tier, ""),
        elsewhere,
        layout.note,
    ]
    return Beside(
        f"Table {name.removeprefix('table')} ({tier}): {layout.title}", lines, [each for each in notes if each]
    )


def printed(column: PaperColumn, recipe: str) -> str:
    """The paper's value; percents with two decimals, all else as printed there."""
    if recipe not in column.paper:
        return ABSENT
    percent = column.metric in metrics() or not column.metric
    return f"{column.paper[recipe]:{'.2f' if percent else 'g'}}"


def noise(results: Iterable[Result]) -> list[list[str]]:
    """One recipe's scatter: headings, then mean, standard deviation and range of each metric over its seeds."""
    values: dict[str, list[float]] = {}
    for result in results:
        for metric, percent in result.metrics.items():
            values.setdefault(metric, []).append(percent)
    lines = [["metric", "mean", "SD", "range", "n"]]
    for metric, some in values.items():
        sd = f"{stdev(some):.2f}" if len(some) > 1 else ABSENT
        lines.append([metric, f"{mean(some):.2f}", sd, f"{min(some):.2f} to {max(some):.2f}", str(len(some))])
    return lines
