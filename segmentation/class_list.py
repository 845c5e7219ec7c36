"""Lists of classes in files: names in order, `value name`, `r g b name`, and each the other way round with commas."""

import re
from collections.abc import Sequence
from pathlib import Path

from trick_transfer.engine.files import text_lines

Colour = tuple[int, int, int]
Table = list[tuple[str, Colour]]  # a name may have several colours
NAMES = ("classes.txt", "class_names.txt", "labels.txt", "label_colors.txt", "*class*.csv", "*label*.csv")
HEADINGS = ("name", "names", "class", "classes", "label", "labels")
LINES = (  # the first that all lines are like
    r"(?P<r>\d+)[\s,;]+(?P<g>\d+)[\s,;]+(?P<b>\d+)[\s,;]+(?P<name>\S.*)",
    r"(?:\d+\s*[,;\t]\s*)?(?P<name>.*\S)\s*[,;\t]\s*(?P<r>\d+)\s*[,;\t]\s*(?P<g>\d+)\s*[,;\t]\s*(?P<b>\d+)",
    r"(?P<value>\d+)[\s:,;]+(?P<name>\S.*)",
    r"(?P<name>.*\S)\s*[,;\t]\s*(?P<value>\d+)",
    r"(?P<name>.+)",
)


def list_file(folder: Path) -> Path | None:
    """The list of classes in a folder, if it has one. Raises ValueError for several."""
    found = sorted({path for name in NAMES for path in folder.glob(name) if path.is_file()})
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise ValueError(f"{folder} holds {names}; say by classes='...' (or colours='...') which one names the classes")
    return found[0] if found else None


def read_classes(path: Path) -> list[str] | dict[int, str] | Table:
    """The classes of a file, one a line, below its heading if it is a CSV with one. Raises ValueError."""
    lines = text_lines(path)
    for pattern in LINES if lines else ():
        headed = not re.fullmatch(pattern, lines[0]) or lines[0].lower() in HEADINGS
        below = lines[path.suffix.lower() == ".csv" and headed :]
        matches = [match for line in below if (match := re.fullmatch(pattern, line))]
        if below and len(matches) == len(below):
            return classes_of(path, [match.groupdict() for match in matches])
    raise ValueError(f"{path} names no class; expected one a line: a name, `value name` or `r g b name`")


def classes_of(path: Path, found: Sequence[dict[str, str]]) -> list[str] | dict[int, str] | Table:
    """What the lines of a list say. Raises ValueError for a value that occurs twice."""
    if "r" in found[0]:
        return [(each["name"].strip(), (int(each["r"]), int(each["g"]), int(each["b"]))) for each in found]
    if "value" not in found[0]:
        return [each["name"].strip() for each in found]
    values = {int(each["value"]): each["name"].strip() for each in found}
    if len(values) < len(found):
        raise ValueError(f"{path} names a value twice; give each value one line")
    return values
