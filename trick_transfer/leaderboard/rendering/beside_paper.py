"""The paper's tables with our numbers beside its own: the leaderboard's rows and cells in the paper's layout."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import mean, stdev
from typing import NamedTuple

from trick_transfer.runs.result import Result
from trick_transfer.stages import metrics

from ..paper.tables import ELSEWHERE, NOTES, TABLES
from ..table import Protocol, Row, Table
from .text import ABSENT, entry, header

SMOKE = "Our numbers are of `smoke`, two steps of training; they only show that the code runs."
OTHER = "Our numbers are of other data than the paper's: compare only the rows' order."
STAR = "*: scored under another protocol (such as 299 px) than the other rows; do not compare it with them."


class Beside(NamedTuple):
    """A table of the paper, ready to be written: its headings, then its rows."""

    title: str
    lines: list[list[str]]
    notes: list[str]


def beside(name: str, tables: Sequence[Table], tier: str, sizes: Mapping[str, dict[str, float]] = {}) -> Beside:
    """A table of the paper beside a tier's rows, of the fullest table first; `sizes` for recipes without a row."""
    layout = TABLES[name]
    rows: dict[str, Row] = {}
    starred: set[str] = set()
    rules: list[tuple[Protocol, ...]] = []
    for table in tables:
        if new := {row.recipe: row for row in table.rows if row.recipe in layout.rows and row.recipe not in rows}:
            rows |= new
            rules.append(tuple(each for each in table.protocols if each.stage in layout.stages))
            starred |= new.keys() if rules[-1] != rules[0] else set()
    for recipe, counted in sizes.items():
        rows.setdefault(recipe, Row(recipe, counted["params_m"], counted["gmacs"], None, {}))
    lines = [["recipe"], *([recipe + " *" * (recipe in starred)] for recipe in layout.rows)]
    for column in layout.columns:
        *of_paper, metric = column.split("/")
        if not of_paper:
            lines[0].append(header(metric))
        if printed := any(column in numbers for numbers in layout.rows.values()):
            lines[0].append(f"paper, {of_paper[0]} {header(metric)}" if of_paper else "paper")
        for line, (recipe, numbers) in zip(lines[1:], layout.rows.items(), strict=True):
            line += [] if of_paper else [entry(rows.get(recipe), metric, letters=False)]
            digits = ".2f" if metric in metrics() else "g"
            line += [f"{numbers[column]:{digits}}" if column in numbers else ABSENT] * printed
    said = dict.fromkeys(f"{p.stage} {p.name} ({str(p.hash)[:8]}, {p.samples} scored)" for some in rules for p in some)
    notes = [
        f"Ours: {'; '.join(said)}." * bool(said),
        STAR * bool(starred),
        {"smoke": SMOKE, "paper": ""}.get(tier, OTHER),
    ]
    notes += [ELSEWHERE.get(name, "") * (tier != "paper"), NOTES.get(name, "")]
    title = f"Table {name.removeprefix('table')} ({tier}): {layout.title}"
    return Beside(title, lines, [each for each in notes if each])


def noise(results: Iterable[Result]) -> list[list[str]]:
    """One recipe's scatter: headings, then mean, standard deviation and range of each metric over its seeds."""
    values = defaultdict(list)
    for result in results:
        for metric, percent in result.metrics.items():
            values[metric].append(percent)
    lines = [["metric", "mean", "SD", "range", "n"]]
    for metric, some in values.items():
        sd = f"{stdev(some):.2f}" if len(some) > 1 else ABSENT
        lines.append([metric, f"{mean(some):.2f}", sd, f"{min(some):.2f} to {max(some):.2f}", str(len(some))])
    return lines
