"""Checks what a JSON file of ours holds against the fields that its dataclass declares."""

import json
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Annotated, Any, NotRequired, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

FILLED = Field(min_length=1)
Text = Annotated[str, FILLED]
Percent = Annotated[float, Field(ge=0, le=100)]


def checker(kind: type, *without: str) -> Callable[[Any], None]:
    """A check of data for a dataclass, less some fields. Those with a default factory came later, and may be missing.

    It raises ValueError of one line for a field that is missing, unknown, or of another type or range than declared.
    """
    hints = {name: hint for name, hint in get_type_hints(kind, include_extras=True).items() if name not in without}
    later = [each.name for each in fields(kind) if each.default_factory is not MISSING]
    hints |= {name: NotRequired[hints[name]] for name in later}
    keys = TypedDict(kind.__name__, hints)  # type: ignore[misc]
    adapter = TypeAdapter(with_config(strict=True, extra="forbid", allow_inf_nan=False)(keys))

    def check(data: Any) -> None:
        try:
            adapter.validate_python(data)
        except ValidationError as error:
            first = error.errors()[0]
            name, found = ".".join(map(str, first["loc"])) or kind.__name__.lower(), f" is {first['input']!r:.80}"
            raise ValueError(f"{name!r:.80}{'' if first['type'] == 'missing' else found}: {first['msg']}") from None

    return check


def parse(text: str) -> Any:
    """JSON text. Raises ValueError for a key that occurs twice, or what is no JSON."""
    try:
        return json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises ValueError for a key that occurs twice."""
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r:.80} occurs twice")
    return dict(pairs)
