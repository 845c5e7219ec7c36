"""Photographs of the user's own in lists, `path label` a line."""

import csv
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from trick_transfer.engine.files import read_text
from trick_transfer.engine.images import is_image
from trick_transfer.engine.names import SET_OF, set_of
from trick_transfer.engine.source import Found, Sample, listed

from .class_folders import SETS_OF, first_of, suffix_of, tell_unread, under
from .layout import numbered

SUFFIXES = (".txt", ".csv", ".tsv")
SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons", " ": "spaces"}  # looked for in this order
COLUMNS = {  # what a header calls them
    "path": ("path", "file", "filename", "file_name", "image", "image_path", "filepath"),
    "label": ("label", "class", "category", "target", "labels", "class_name", "label_name"),
    "split": ("split", "set", "subset", "partition"),
}
LOOKED_AT = 20  # lines of a list, to find its separator


class Line(NamedTuple):
    """A line of a list; `where` names it. `label` is empty, `split` None, where there is none."""

    where: str
    path: str
    label: str
    split: str | None


def lists(
    folder: Path,
    separator: str | None = None,
    header: bool | None = None,
    images: str = ".",
    classes: Sequence[str] | None = None,
) -> Found:
    """`path label` or `path label split`, a line each: one file, or a folder's files train and val (.txt, .csv, .tsv).

    Paths are absolute, or under `images`, a folder that is seen from the list's. The `separator` is a tab, a comma
    (cells may be quoted), a semicolon or else a space; there is a `header` if the first cell has no suffix. Where it
    names path and label, by any of COLUMNS' words, columns may stand in any order. The third is the split if it holds a
    split's name (test only where none is val); what follows is left out. `classes`: as in `folders`. Raises OSError or
    ValueError for what is no list.
    """
    told = Found([], ())
    lines: list[Line] = []
    if not (files := list_files(folder)):
        raise FileNotFoundError(f"{folder} has no train.txt or train.csv; name a list's file as the source's folder")
    for split, file in files.items():
        found = read_list(file, told, separator, header)
        lines += found if split is None else [line._replace(split=split) for line in found]
    home = folder.parent if folder.is_file() else folder
    there = [each for each in sorted(folder.glob("[!.]*")) if each.suffix.lower() in SUFFIXES]
    if others := [each.name for each in there if each not in files.values()]:
        told.reading.append(f"left out beside them: {listed(others)}")
    samples = [*listed_images(lines, home / images, told)]
    return numbered(samples, {sample.truth for sample in samples}, classes, told)


def list_files(folder: Path) -> dict[str | None, Path]:
    """The list of each split; of None, where one list has all; nothing for a folder without a list to train on."""
    if folder.is_file():
        return {None: folder}
    files = [each for each in sorted(folder.iterdir(), reverse=True) if each.suffix.lower() in SUFFIXES]
    there = {set_of(each.stem): each for each in files if each.is_file()}
    found: dict[str | None, Path] = {split: each for split in SETS_OF if (each := first_of(split, there))}
    if "train" not in found:
        return {}
    return found if len(found) > 1 else {None: found["train"]}


def read_list(file: Path, told: Found, separator: str | None, header: bool | None) -> list[Line]:
    """A list's lines with a path; what is guessed, and lines without label, are told. Raises ValueError for no text."""
    text = read_text(file)
    mark = separator or separator_of(text)
    if mark not in SEPARATORS:
        raise ValueError(f"the option separator must be one of {', '.join(map(repr, SEPARATORS))}, got {separator!r}")
    rows = [(number, cells) for number, cells in cells_of(file, text, mark) if any(cells)]
    if header is None:
        header = bool(rows) and not PurePosixPath(rows[0][1][0]).suffix
    first = f"the header {', '.join(rows[0][1])}" if header and rows else "no header"
    told.reading.append(f"{file}: separated by {SEPARATORS[mark]}, {first}")
    return [*lines_of(file, by_name(rows) if header else rows, told)]


def by_name(rows: Sequence[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """The rows below a header with the columns path, label and split alone, if it names the first two."""
    names = [cell.lower() for cell in rows[0][1]] if rows else []
    found = {column: [names.index(word) for word in words if word in names][:1] for column, words in COLUMNS.items()}
    if not (found["path"] and found["label"]):
        return [*rows[1:]]
    places = [*chain.from_iterable(found.values())]
    return [(number, [cells[place] for place in places if place < len(cells)]) for number, cells in rows[1:]]


def separator_of(text: str) -> str:
    """The first of SEPARATORS that is in most of the first lines."""
    lines = [line.strip() for line in islice(text.splitlines(), LOOKED_AT)]
    return next((mark for mark in SEPARATORS if 2 * sum(mark in line for line in lines) > len(lines)), " ")


def cells_of(file: Path, text: str, mark: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of each line."""
    if mark == " ":
        yield from ((number, line.split()) for number, line in enumerate(text.splitlines(), 1))
        return
    reader = csv.reader(text.splitlines(keepends=True), delimiter=mark, skipinitialspace=True)
    try:
        for cells in reader:
            yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise ValueError(f"{file}, line {reader.line_num}: {error}; correct the line") from None


def lines_of(file: Path, rows: Sequence[tuple[int, list[str]]], told: Found) -> Iterator[Line]:
    """Rows as lines; what their third column means is told."""
    third = Counter(set_of(cells[2]) for _, cells in rows if len(cells) > 2 and cells[2])
    split_of = {name: split for split in SETS_OF if (name := first_of(split, {each: each for each in third}))}
    rest = {name: lines for name, lines in third.items() if name and name not in split_of}
    if third:
        said = "is the split" if split_of else "and what follows is left out, as it names no split"
        unread = "".join(f"; {lines} lines of {name} are left out" for name, lines in rest.items())
        told.reading.append(f"{file}: the third column {said}{unread}")
    for number, (path, *others) in rows:
        label, cell, *_ = [*others, "", ""]
        where = f"{file}, line {number}"
        if not label:
            told.problems.append(f"{where}: {path:.80} has no label; expected `path label`")
        elif split_of and cell and not set_of(cell):
            told.problems.append(f"{where}: {cell!r} is no split; expected one of {', '.join(SET_OF)}")
        elif (name := set_of(cell)) not in rest:
            yield Line(where, path, label, split_of.get(name))


def listed_images(lines: Sequence[Line], home: Path, told: Found) -> Iterator[Sample]:
    """The images that lines name, with their labels; files that are missing, or listed twice, are told."""
    seen: dict[str, str] = {}
    others: Counter[str] = Counter()
    for line in lines:
        path, name = home / line.path, os.path.normpath(line.path)
        if not path.is_file() and "\\" in line.path:  # written on Windows
            name = os.path.normpath(line.path.replace("\\", "/"))
            path = home / name
        if path.is_absolute() and path.is_relative_to(home.absolute()):
            name = under(path, home.absolute())  # wherever the folder is
        if not path.is_file():
            told.problems.append(f"{line.where}: {path} does not exist; correct the path, or the option images")
        elif not is_image(path.name):
            others[suffix_of(line.path)] += 1
        elif name in seen:
            told.problems.append(f"{line.where}: {path} is in {seen[name]} already; remove one of the lines")
        else:
            seen[name] = line.where
            yield Sample(name, path, line.label, line.split)
    tell_unread(home, others, told)
