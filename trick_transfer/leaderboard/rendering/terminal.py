"""Tables on the terminal."""

from collections.abc import Container, Iterator
from pathlib import Path

from rich.table import Table as Screen

from trick_transfer.runs.store import read_both

from ..analysis import analyse
from ..scores.load import means_only
from ..table import YOURS, Analysis
from .text import columns, entry, header, title


def grid(caption: str, lines: list[list[str]]) -> Screen:
    """Headings and rows."""
    screen = Screen(title=caption, title_justify="left")
    for place, heading in enumerate(lines[0]):
        screen.add_column(heading, justify="right" if place else "left", no_wrap=True)
    for line in lines[1:]:
        screen.add_row(*line)
    return screen


def row_of(own: Path, reference: Path, recipe: str, tier: str) -> Iterator[Screen]:
    """The new run's row, ranked among the reference's and your own; means only, so it is fast."""
    stored, _ = read_both(reference, own)
    return screens(analyse([means_only(each) for each in stored]), (recipe, recipe + YOURS), tier)


def screens(analysis: Analysis, names: Container[str], tier: str) -> Iterator[Screen]:
    """The rows of these names from each of a tier's tables that has them: from top to bottom, to fit any width."""
    for table in analysis.tables:
        for place, row in enumerate(table.rows, 1):
            if table.tier == tier and row.recipe in names:
                screen = Screen("rank", f"{place} of {len(table.rows)}", title=title(table), title_justify="left")
                screen.add_row("recipe", row.recipe)
                for each in columns(table):
                    screen.add_row(header(*each), entry(row, *each))
                yield screen
