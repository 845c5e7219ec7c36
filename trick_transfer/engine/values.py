"""What a person writes into a Config: names and numbers that cannot be are refused in one line, with the nearest."""

from collections.abc import Iterable
from difflib import get_close_matches

import mmengine.registry
import mmengine.runner  # with it, all of mmengine's own classes are registered
from mmengine.registry import Registry

KINDS = [each for each in vars(mmengine.registry).values() if isinstance(each, Registry)]
LISTED = 16  # more of them hide the message


def nearest(name: str, known: Iterable[str]) -> str:
    """The nearest of the known names; where none is near, all of them, or of many the three that are least far."""
    close = get_close_matches(name, known := sorted(known), 1)
    if close:
        return f"did you mean {close[0]!r}?"
    if len(known) > LISTED:
        return f"of {len(known)}, the nearest are {', '.join(get_close_matches(name, known, 3, cutoff=0))}"
    return f"choose from {', '.join(known)}"


def check_name(what: str, name: object, known: Iterable[str]) -> None:
    """Raise ValueError with the nearest name unless `name` is a known one."""
    if name not in (known := list(known)):
        raise ValueError(f"{what} {name!r} does not exist; {nearest(str(name), known)}")


def check_epochs(key: str, epochs: object) -> None:
    """Raise ValueError unless they are a whole number."""
    if not isinstance(epochs, int) or epochs < 0:
        raise ValueError(f"{key} is {epochs!r}, not a whole number of epochs")


def check_class(key: str, name: str, old: str, scope: str) -> None:
    """Raise ValueError where `old` is a registered class, or function, and `name` is none of its kind.

    A name without a scope of its own is looked up in `scope`.
    """
    for kind in KINDS:
        if is_registered(kind, old, scope) and not is_registered(kind, name, scope):
            scopes = {"": kind, **{f"{child.scope}.": child for child in kind.children.values()}}
            known = [prefix + each for prefix, registry in scopes.items() for each in registry.module_dict]
            raise ValueError(f"{key} {name!r} does not exist; {nearest(name, known)}")


def is_registered(kind: Registry, name: str, scope: str) -> bool:
    """Whether a Config of this default scope may name it."""
    try:
        return callable(kind.get(name if "." in name else f"{scope}.{name}"))
    except RuntimeError:  # mmengine's, of a name that is none in Python either
        return False
