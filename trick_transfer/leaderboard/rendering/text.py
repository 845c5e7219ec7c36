"""The text of a table's fields, the same in Markdown, LaTeX and on the terminal. Nothing here computes a number.

Metrics are percent with two decimals, as in the paper; GMACs are the paper's "FLOPs" (multiply-adds).
"""

import re
from ast import literal_eval
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from classification.config import BACKBONE, load
from classification.config import names as recipes
from classification.given import KEY as GIVEN
from classification.given import spelt_out
from trick_transfer.runs.store import Stored
from trick_transfer.stages import metrics

from ..statistics.comparison import IMAGES
from ..table import Cell, Row, Table

COMMAND = "tools/leaderboard.py"
SIZES = {"params_m": "params (M)", "gmacs": "GMACs", "device_hours": "device-hours"}
HEADINGS = SIZES | {"minutes_per_epoch": "min/epoch"}
ABSENT = "–"
MOST_LETTERS = 6
UNCOMMITTED, UNVERIFIED = "†", "‡"
FOOTNOTES = {
    UNCOMMITTED: "a run of this row was made with changes that were not committed",
    UNVERIFIED: "a diagnostic of `mini`, as the runs reported it; the stored outputs cannot verify it",
}
CAVEATS = "Intervals are not corrected for their number: of 20 tricks without effect, expect one to exclude 0."
HARMS = "Pre-training does harm (the whole interval is below 0)"
NO_GAIN = "No gain is shown (the interval includes 0)"
ONE_SEED = "one seed a row: intervals hold the noise of the images alone, not what another seed would change."
PROBLEMS = "Left out or in doubt"
SYNTHETIC = "The `mini` data are synthetic scenes: these numbers say nothing about ImageNet, VOC or ADE20K."
SHALLOW = (
    "ResNet-18 stands in for ResNet-50 there and ResNet-34 for ResNet-152; their blocks have no tweak B, so `resnet50` "
    "and `resnet50b` are one network."
)
NOTES = {
    "mini": f"{SYNTHETIC} {SHALLOW}",
    "photos100": "Photographs at small sizes: 100 classes of Tiny-ImageNet, VOC2007's test set split by us, and CamVid "
    f"(docs/benchmarks/photos100.py). No score compares with a published one. {SHALLOW}",
    "smoke": f"{SYNTHETIC} `smoke` trains for two steps: it shows that the code runs.",
    "published": "The paper's own numbers, one run each: no interval, and no test of a difference.",
}


def columns(table: Table) -> list[tuple[str, bool]]:
    """(name, whether it is the paper's) for each column: the paper's column is right of ours."""
    quoted = {name for row in table.rows for name, cell in row.cells.items() if cell.paper and row.runs}
    sizes = [name for name in SIZES if any(getattr(row, name) is not None for row in table.rows)]
    ours = ((each.name, side) for each in table.metrics for side in (False, True) if not side or each.name in quoted)
    return [*ours, *((name, False) for name in sizes)]


def header(name: str, of_paper: bool = False) -> str:
    """A column's heading."""
    if of_paper or name in HEADINGS:
        return "paper" if of_paper else HEADINGS[name]
    metric = metrics()[name]
    return metric.label + f" {UNVERIFIED}" * (not metric.verifiable)


def mark(row: Row, runs: Mapping[str, Stored]) -> str:
    """The mark behind a recipe if one of its runs was made with uncommitted changes."""
    return f" {UNCOMMITTED}" if any(runs[run.path].result.dirty for run in row.runs) else ""


def footnotes(table: Table, runs: Mapping[str, Stored]) -> list[str]:
    """What the marks in a table mean, and what was set in rows that a hash names."""
    marks = {mark(row, runs).strip() for row in table.rows}
    marks |= {UNVERIFIED for each in table.metrics if not each.verifiable}
    notes = [f"{each}: {text}." for each, text in FOOTNOTES.items() if each in marks]
    notes += [] if table.tier in NOTES else stand_ins(table, runs)
    return notes + [f"`{row.recipe}`: {said}." for row in table.rows if (said := hidden(row, runs))]


def stand_ins(table: Table, runs: Mapping[str, Stored]) -> list[str]:
    """A sentence if a tier trained networks of another depth under recipes' names."""
    found = set()
    for result in (runs[run.path].result for row in table.rows for run in row.runs):
        own = result.config.get("model", {}).get("backbone", {}).get("depth")
        if own and not any(key.startswith(BACKBONE) for key in result.settings):
            found.add((depth(result.recipe.split("+")[0]), own))
    said = ", ".join(
        f"ResNet-{own} stands in for ResNet-{named}" for named, own in sorted(found) if named not in (0, own)
    )
    return [f"{said}."] if said else []


@cache
def depth(recipe: str) -> int:
    """That of a recipe's own ResNet; 0 for other networks, and for a recipe that is gone."""
    return load(recipe).model.backbone.get("depth", 0) if recipe in recipes() else 0


def hidden(row: Row, runs: Mapping[str, Stored]) -> str:
    """The settings that a row's name does not spell out."""
    settings = {key: value for run in row.runs for key, value in runs[run.path].result.settings.items()}
    given = [of_elsewhere(settings.pop(GIVEN))] if GIVEN in settings else []
    return ", ".join([*given, *(f"{key} = {value}" for key, value in settings.items() if key not in row.recipe)])


def of_elsewhere(said: str) -> str:
    """Given weights as a setting has them, in words; of a file its name, not the folder where it lay."""
    stated = spelt_out(literal_eval(said))  # unchecked: a stored result may have options of another version
    source = Path(stated.pop("source"))
    name = source.name if source.is_absolute() else source
    rest = ", ".join(f"{key} {value}" for key, value in stated.items())
    return f"weights of {name}" + f" ({rest})" * bool(rest)


def no_help(table: Table) -> str:
    """Where pre-training does harm, where it does not show, and what the intervals lack; a sentence each."""
    found: dict[str, dict[str, list[str]]] = {HARMS: {}, NO_GAIN: {}}
    for each in (each for each in table.gains if each.low <= 0):
        verdict = found[HARMS if each.high < 0 else NO_GAIN]
        verdict.setdefault(metrics()[each.metric].label, []).append(f"`{each.recipe}`")
    places = {
        verdict: "; ".join(f"in {label}: {', '.join(names)}" for label, names in by_metric.items())
        for verdict, by_metric in found.items()
    }
    said = [f"{verdict} {where}." for verdict, where in places.items() if where] or ["Every gain is above 0."]
    if once := dict.fromkeys(metrics()[each.metric].label for each in table.gains if each.level == IMAGES):
        said.append(f"In {', '.join(once)} {ONE_SEED}")
    return " ".join(said)


def devices(table: Table, runs: Mapping[str, Stored]) -> str:
    """What the table's runs were made on, how many, and the rows that average over several devices."""
    by_row = {row.recipe: Counter(runs[run.path].result.device for run in row.runs) for row in table.rows}
    counts = sum(by_row.values(), Counter())
    said = "Trained on: " + ", ".join(f"{name} ({count})" for name, count in counts.most_common())
    mixed = [f"`{recipe}`" for recipe, names in by_row.items() if len(names) > 1]
    return f"{said}; averaged over several of these: {', '.join(mixed)}." if mixed else f"{said}."


def lines_of(table: Table, runs: Mapping[str, Stored], quote: str = "") -> list[list[str]]:
    """A table's headings, then its rows; the first column is the recipe, between quotes, with its mark."""
    shown = columns(table)
    rows = (
        [f"{quote}{row.recipe}{quote}{mark(row, runs)}", *(entry(row, *each) for each in shown)] for row in table.rows
    )
    return [["recipe", *(header(*each) for each in shown)], *rows]


def entry(row: Row | None, name: str, of_paper: bool = False, letters: bool = True) -> str:
    """The text of a column."""
    if name in HEADINGS:
        size = row and getattr(row, name)
        return ABSENT if size is None else f"{size:.2f}"
    cell = row and row.cells.get(name)
    if of_paper:
        return f"{cell.paper.value:.2f} ({cell.paper.table})" if cell and cell.paper else ABSENT
    return percent(cell, letters) if cell else ABSENT


def percent(cell: Cell, with_group: bool = True) -> str:
    """77.16 [76.9, 77.4] (n=3) ab, with a star where n = 1 borrows its noise; without interval 77.16 (sd 0.15, n=3)."""
    if cell.low is None:
        spread = "" if cell.sd is None else f"sd {cell.sd:.2f}, "
        return f"{cell.mean:.2f} ({spread}n={cell.n})"
    star = "*" if cell.n == 1 else ""
    placed = group(cell) if with_group else ""
    return f"{cell.mean:.2f} {between(cell.low, cell.high)}{star} (n={cell.n}) {placed}".rstrip()


def group(cell: Cell) -> str:
    """A row's letters, or its ranks if the letters are too many: rank 3–250."""
    return letters(cell) or f"rank {ranks(cell)}" * bool(cell.rank_low)


def letters(cell: Cell) -> str:
    """A row's letters, if they are few enough."""
    found = (cell.group or "").split()
    return " ".join(found) if len(found) <= MOST_LETTERS else ""


def ranks(cell: Cell) -> str:
    """The best and the worst rank: 3–7, or 3."""
    return "–".join(dict.fromkeys((str(cell.rank_low), str(cell.rank_high))))


def between(low: float | None, high: float | None, digits: int = 1, sign: str = "") -> str:
    """[76.9, 77.4], or nothing."""
    return "" if low is None or high is None else f"[{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]"


def title(table: Table) -> str:
    """Tier, protocols with the first 8 digits of their hashes and of the data's, samples scored."""
    rules = []
    for each in table.protocols:
        hashes = [each.hash[:8], f"data {each.data[:8]}", each.low_precision] if each.hash and each.data else []
        hashes += [f"batch norm on 1/{each.norm_parts} of a batch"] if each.norm_parts > 1 else []
        hashes += ["compiled"] if each.compiled else []
        rules.append(f"{each.stage} {each.name} ({', '.join([*hashes, f'{each.samples} scored'])})")
    return f"{table.tier}: {'; '.join(rules)}"


def grid(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first line is its head."""
    head, *rest = lines
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *rest))


def between_markers(text: str, name: str, block: str) -> str:
    """README's text with a block between <!-- name --> and <!-- /name -->. Raises ValueError if only one is there."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if text.count(begin) != text.count(end) or text.count(begin) > 1 or text.find(begin) > text.find(end):
        raise ValueError(f"README.md needs one {begin} and after it one {end}, or neither")
    return re.sub(f"(?s){begin}.*{end}", lambda _: f"{begin}\n\n{block}\n\n{end}", text)
