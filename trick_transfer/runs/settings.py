"""What `--set key=value` says: read, checked against what is there, and set."""

import ast
from collections.abc import Collection
from typing import Any

from mmengine.config import Config

from trick_transfer.engine.values import check_class, nearest


def split_sets(sets: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tricks, and another backbone, are set before the tricks are applied; all others last, so that they are final."""
    first = {key: value for key, value in sets.items() if key.startswith("tricks.") or key == "model.backbone"}
    return first, {key: value for key, value in sets.items() if key not in first}


def override(cfg: Config, sets: dict[str, Any], done: Collection[str] = ()) -> None:
    """Set dotted keys that exist. Raises ValueError with the nearest name for one that does not.

    `done` are keys that may be meant, but were set and used up before.
    """
    for dotted, value in sets.items():
        *path, last = dotted.split(".")
        node = cfg._cfg_dict
        for key in [*path, last]:
            if isinstance(node, list) and key in map(str, range(len(node))):  # datasets.0.skip_broken
                node = node[int(key)]
                continue
            if not isinstance(node, dict) or key not in node:
                also = [each for each in done if each != key] if node is cfg._cfg_dict else []
                names = [*node, *also] if isinstance(node, dict) else []
                known = nearest(key, names) if names else ""
                raise ValueError(f"key {dotted!r} does not exist; {known or 'set what is above it as a whole'}")
            node = node[key]
        if not replaces(value, node) or (value is None and not path):  # there is no run without its `data`
            raise ValueError(f"{dotted} cannot be {value!r}, it is a {type(node).__name__} such as {node!r:.60}")
        check_classes(dotted, value, node, cfg.get("default_scope", "mmengine"))
        cfg.merge_from_dict({dotted: value})


def check_classes(key: str, value: Any, old: Any, scope: str) -> None:
    """Raise ValueError where a type is replaced by one that does not exist; `value` may be one, or hold some."""
    if isinstance(value, dict) and isinstance(old, dict):
        for each in value.keys() & old.keys():
            check_classes(f"{key}.{each}", value[each], old[each], scope)
    elif key.endswith(".type") and isinstance(value, str):
        check_class(key, value, old, scope)


def replaces(value: Any, old: Any) -> bool:
    """Whether a value may stand where `old` stood; None switches off a slot, but not a part with a type."""
    if value is None:
        return not (isinstance(old, dict) and "type" in old)
    for kind in (bool, int | float, str, dict, list | tuple):
        if isinstance(old, kind):
            return isinstance(value, kind) and isinstance(value, bool) == isinstance(old, bool)
    return True


def parse_sets(pairs: list[str]) -> dict[str, Any]:
    """["tricks.mixup=None", "max_epochs=3"] -> a dict of Python values; a word that is none stays a string."""
    sets = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise ValueError(f"--set takes key=value, not {pair!r}")
        try:
            sets[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            sets[key] = text
    return sets
