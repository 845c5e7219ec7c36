"""From what is said of own masks to their legend; what is not said is guessed aloud, or asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trick_transfer.engine.values import check_name, check_whole

from .class_list import Table
from .legend import VALUES, Legend, code, is_colour, said

NO_CLASS = (255, VALUES - 1)  # values that usually mean none
VOID = ("void", "ignore", "ignored", "unlabelled", "unlabeled")  # names of no class


@dataclass(frozen=True)
class Meaning:
    """What a user or a format says; `...` is to be guessed.

    `classes`: names in the order of their values from `first_class`, or by value, or None for names by value; or
    `colours`. `ignore`: a value, name or colour of no class, a list of them, or None. `zero_is_none`: as in ADE20K.
    """

    classes: Sequence[str] | Mapping[int, str] | None = None
    first_class: Any = ...
    ignore: Any = ...
    colours: Table | None = None
    zero_is_none: bool = False

    def legend(self, found: set[int], reading: list[str]) -> Legend:
        """The legend of masks that hold `found`; each guess is a line of `reading`.

        Raises ValueError where a guess would be as likely wrong as right, and for what no mask can mean.
        """
        names = self.names(found, reading)
        ignored = self.guessed(found, names, reading) if self.ignore is ... else self.stated(names)
        if not names:
            flat = self.ignore if isinstance(self.ignore, list | tuple) else [self.ignore]
            if words := [each for each in flat if isinstance(each, str)]:
                raise ValueError(f"ignore names {words[0]!r}, and no classes are named; give a value, as in ignore=255")
            names = {value: f"class {value}" for value in sorted(found - ignored)}
            reading.append(f"no list names the {len(names)} classes: they are called by their values")
        return Legend(names, frozenset(ignored), self.colours is not None)

    def names(self, found: set[int], reading: list[str]) -> dict[int, str]:
        """The name of each value or colour; empty without a list."""
        if self.colours is not None:
            return {code(rgb): name for name, rgb in self.colours}
        if self.classes is None:
            return {}
        if isinstance(self.classes, Mapping):
            return {value_of(value): str(name) for value, name in self.classes.items()}
        first = self.first_class
        if first is ...:
            first = 1 if self.zero_is_none else first_value(found - self.stated({}), len(self.classes))
            reading.append(f"the first class has the value {first}: a guess, which first_class replaces")
        return dict(enumerate(map(str, self.classes), value_of(first)))

    def stated(self, names: Mapping[int, str]) -> set[int]:
        """The values or colours that are said to mean no class; without `names` only those said as values."""
        if self.ignore is None or self.ignore is ...:
            return set()
        one = not isinstance(self.ignore, list | tuple) or (self.colours is not None and is_colour(self.ignore))
        return set().union(*(self.values_of(each, names) for each in ([self.ignore] if one else self.ignore)))

    def values_of(self, ignored: Any, names: Mapping[int, str]) -> set[int]:
        """The values of a name, or the value or colour itself. Raises ValueError for what is none of these."""
        if not isinstance(ignored, str):
            return {value_of(ignored) if self.colours is None else code(ignored)}
        if names:
            check_name("ignore", ignored, dict.fromkeys(names.values()))
        return {value for value, name in names.items() if name == ignored}

    def guessed(self, found: set[int], names: Mapping[int, str], reading: list[str]) -> set[int]:
        """The values or colours that seem to mean no class."""
        if not names:
            usual = found & {*NO_CLASS}
            ignored = (usual if len(found - usual) > 1 else set()) | (found & {0} if self.zero_is_none else set())
            words = f"{said(sorted(ignored))} means no class" if ignored else "each is a class"
            reading.append(f"masks hold {said(sorted(found))}, and {words}: a guess, which ignore replaces")
            return ignored
        if found == {0, 255} and names.keys() == {0, 1} and self.colours is None:
            black, white = names.values()
            raise ValueError(
                f"masks hold 0 and 255, and 2 classes are named, so 255 is as likely {white} as no class: say "
                f"classes={{0: {black!r}, 255: {white!r}}}, or ignore=255"
            )
        void = {value: name for value, name in names.items() if name.lower() in VOID}
        unnamed = set() if self.colours is not None else found & {0, *NO_CLASS} - names.keys()
        if none := [*dict.fromkeys(void.values()), *sorted(unnamed)]:
            reading.append(f"{said(none)} means no class: a guess, which ignore replaces")
        return {*void, *unnamed}


def first_value(found: set[int], classes: int) -> int:
    """0 or 1, as the masks have it. Raises ValueError if they fit both, or neither."""
    if (0 in found) == (classes in found):
        raise ValueError(
            f"masks hold {said(sorted(found))}, and {classes} classes are named: say by first_class=0 or 1 which value "
            "is the first class, and by ignore=... which one is none"
        )
    return int(classes in found)


def value_of(value: Any) -> int:
    """A value that a mask can hold. Raises ValueError for another."""
    check_whole("a mask's value", value)
    if value >= VALUES:
        raise ValueError(f"a mask's value must be below {VALUES:,}, got {value:,}")
    return value
