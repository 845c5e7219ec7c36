"""Tables on the terminal."""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table as Screen

from trick_transfer.runs.store import read_both

from ..analysis import analyse
from ..scores.load import means_only
from ..table import YOURS, Agreement, Analysis, Table
from . import agreement
from .text import columns, entry, header, title


def grid(caption: str, lines: list[list[str]]) -> Screen:
    """Headings and rows."""
    screen = Screen(title=caption, title_justify="left")
    for place, heading in enumerate(lines[0]):
        screen.add_column(heading, justify="right" if place else "left", no_wrap=True)
    for line in lines[1:]:
        screen.add_row(*line)
    return screen


def across(some: Sequence[Agreement]) -> Iterator[Screen | str]:
    """The order of the rows that two sides have: tables, the answers, and how to read them."""
    head, *rest = agreement.lines(some)
    yield grid(agreement.title(some), [line[:-1] for line in (head, *rest)])
    yield grid(agreement.of_ranks(some), agreement.ranks(some))
    yield from (f"{line[0]}: {line[-1]}" for line in rest)
    yield from (agreement.CAPTION, *agreement.notes(some))


def rows_of(own: Path, reference: Path, recipes: Iterable[str], tier: str) -> Iterator[Screen | str]:
    """The new runs' rows, ranked among the reference's and your own; means only, so it is fast."""
    stored, _ = read_both(reference, own)
    names = [name for recipe in recipes for name in (recipe, recipe + YOURS)]
    return screens(analyse([means_only(each) for each in stored]), names, tier)


def screens(analysis: Analysis, names: Container[str], tier: str) -> Iterator[Screen | str]:
    """The rows of these names from each of a tier's tables that has them: from top to bottom, to fit any width."""
    of_tier = [table for table in analysis.tables if table.tier == tier]
    for table in of_tier:
        for place, row in enumerate(table.rows, 1):
            if row.recipe in names:
                screen = Screen("rank", f"{place} of {len(table.rows)}", title=title(table), title_justify="left")
                screen.add_row("recipe", row.recipe)
                for each in columns(table):
                    screen.add_row(header(*each), entry(row, *each))
                yield screen
        if all(row.recipe.endswith(YOURS) for row in table.rows) and any(row.recipe in names for row in table.rows):
            yield from (difference for other in of_tier[:1] if (difference := apart(table, other)))


def apart(table: Table, other: Table) -> str:
    """Why your rows are not beside those of another table, in one line; "" for stages that they do not share."""
    found = []
    for mine in table.protocols:
        for theirs in (each for each in other.protocols if each.stage == mine.stage):
            own, their = asdict(mine), asdict(theirs)
            found += [f"{mine.stage} {key} {own[key]}, theirs {their[key]}" for key in own if own[key] != their[key]]
    hint = " (--precision takes another)" if any("low_precision" in each for each in found) else ""
    hint += " (--compile decides)" if any(" compiled " in each for each in found) else ""
    whose = "your other rows" if all(row.recipe.endswith(YOURS) for row in other.rows) else "the reference rows"
    return f"not comparable with {whose}{hint}: {'; '.join(found)}" if found else ""
