"""Names that a person writes: what to say of one that does not exist."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """The nearest of the known names, or all of them."""
    close = get_close_matches(name, known := list(known), 1)
    return f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(sorted(known))}"


def check_name(what: str, name: object, known: Iterable[str]) -> None:
    """Raise ValueError with the nearest name unless `name` is a known one."""
    if name not in (known := list(known)):
        raise ValueError(f"{what} {name!r} does not exist; {nearest(str(name), known)}")
