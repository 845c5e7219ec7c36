"""What stands in a table's fields, in Markdown, LaTeX and on the terminal alike. Nothing here computes a number.

Metrics are percent with two decimals, as in the paper; GMACs are the paper's "FLOPs" (multiply-adds).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table as Screen

from .rows import METRICS

COMMAND = "tools/leaderboard.py"
SIZES = {"params_m": "params (M)", "gmacs": "GMACs", "device_hours": "device-hours"}
ABSENT = "–"
MOST_LETTERS = 6
SIGNIFICANT = 10  # digits in files; the 15th or so differs with the number of threads
UNCOMMITTED, UNVERIFIED = "†", "‡"
FOOTNOTES = {
    UNCOMMITTED: "a run of this row was made with changes that were not committed",
    UNVERIFIED: "a diagnostic of `mini`, as the runs told it: nothing is stored that could verify it",
}
CAVEATS = (
    "Intervals are not corrected for their number: of 20 tricks without effect, expect one to leave out 0. "
    "All seeds of a distilled recipe share one teacher (seed 0), so its luck is in no interval."
)
PROBLEMS = "Left out or in doubt"
SYNTHETIC = "The `mini` data are synthetic scenes: these numbers say nothing about ImageNet, VOC or ADE20K."
NOTES = {
    "mini": SYNTHETIC,
    "smoke": f"{SYNTHETIC} `smoke` trains for two steps: it shows that the code runs.",
    "published": "The paper's own columns, one run each: no interval, and no difference that could be told from noise.",
}


def columns(table: dict[str, Any]) -> list[tuple[str, bool]]:
    """(name, whether it is the paper's) for each column: the paper's stands right of ours, where there is one."""
    names = [each["name"] for each in table["metrics"]]
    quoted = {name for row in table["rows"] for name, cell in row["cells"].items() if cell["paper"] and row["runs"]}
    sizes = [name for name in SIZES if any(row[name] is not None for row in table["rows"])]
    return [
        *((name, side) for name in names for side in (False, True) if not side or name in quoted),
        *((name, False) for name in sizes),
    ]


def header(name: str, of_paper: bool) -> str:
    """A column's heading."""
    if of_paper or name in SIZES:
        return "paper" if of_paper else SIZES[name]
    return METRICS[name].label + (f" {UNVERIFIED}" if not METRICS[name].verifiable else "")


def mark(row: dict[str, Any], receipts: Mapping[str, dict]) -> str:
    """What stands behind a recipe one of whose runs was made with uncommitted changes."""
    return f" {UNCOMMITTED}" if any(receipts[run["path"]]["dirty"] for run in row["runs"]) else ""


def footnotes(table: dict[str, Any], receipts: Mapping[str, dict]) -> list[str]:
    """What the marks in a table mean."""
    marks = {mark(row, receipts).strip() for row in table["rows"]}
    marks |= {UNVERIFIED for each in table["metrics"] if not each["verifiable"]}
    return [f"{each}: {text}." for each, text in FOOTNOTES.items() if each in marks]


def entry(row: dict[str, Any], name: str, of_paper: bool) -> str:
    """What stands in a column."""
    if name in SIZES:
        return ABSENT if row[name] is None else f"{row[name]:.2f}"
    cell = row["cells"].get(name)
    if cell is None or (of_paper and not cell["paper"]):
        return ABSENT
    return "{value:.2f} ({table})".format_map(cell["paper"]) if of_paper else percent(cell)


def percent(cell: dict[str, Any]) -> str:
    """77.16 [76.9, 77.4] (n=3) ab, with a star where n = 1; without interval 77.16 (sd 0.15, n=3)."""
    if cell["low"] is None:
        spread = "" if cell["sd"] is None else f"sd {cell['sd']:.2f}, "
        return f"{cell['mean']:.2f} ({spread}n={cell['n']})"
    star = "*" if cell["level"] == "image" else ""
    return f"{cell['mean']:.2f} {between(cell['low'], cell['high'])}{star} (n={cell['n']}) {group(cell)}".rstrip()


def group(cell: dict[str, Any]) -> str:
    """A row's letters; of too many to be compared by eye its ranks: rank 3–250."""
    return letters(cell) or (f"rank {ranks(cell)}" if cell["rank_low"] else "")


def letters(cell: dict[str, Any]) -> str:
    """A row's letters, if they are few enough."""
    found = (cell["group"] or "").split()
    return " ".join(found) if len(found) <= MOST_LETTERS else ""


def ranks(cell: dict[str, Any]) -> str:
    """The best and the worst rank: 3–7, or 3."""
    return "–".join(dict.fromkeys((str(cell["rank_low"]), str(cell["rank_high"]))))


def between(low: float | None, high: float | None, digits: int = 1, sign: str = "") -> str:
    """[76.9, 77.4], or nothing."""
    return "" if low is None or high is None else f"[{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]"


def title(table: dict[str, Any]) -> str:
    """Tier, protocols with the first 8 digits of their hashes and of the data's, samples scored."""
    rules = []
    for each in table["protocols"]:
        told = [each["hash"][:8], f"data {each['data'][:8]}"] if each["hash"] else []
        rules.append(f"{each['stage']} {each['name']} ({', '.join([*told, str(each['samples']) + ' scored'])})")
    return f"{table['tier']}: {'; '.join(rules)}"


def rounded(data: Any, digits: int = SIGNIFICANT) -> Any:
    """JSON data with numbers of so many significant digits."""
    return json.loads(json.dumps(data, allow_nan=False), parse_float=lambda text: float(f"{float(text):.{digits}g}"))


def screens(analysis: dict[str, Any], recipe: str, tier: str) -> Iterator[Screen]:
    """One recipe's row from each of a tier's tables that has it, for the terminal: from top to bottom, to fit any."""
    for table in analysis["tables"]:
        for place, row in enumerate(table["rows"], 1):
            if (table["tier"], row["recipe"]) == (tier, recipe):
                screen = Screen("rank", f"{place} of {len(table['rows'])}", title=title(table), title_justify="left")
                screen.add_row("recipe", recipe)
                for each in columns(table):
                    screen.add_row(header(*each), entry(row, *each))
                yield screen
