"""A Config made in layers: recipe or protocol, tricks, tier, settings, machine. Each value has its source."""

from collections.abc import Callable, Iterator
from typing import Any

from mmengine.config import Config

ABSENT = object()


def copied(cfg: Config) -> Config:
    """A deep copy of a Config. As text it is not made pretty: mmengine would take seconds for that, six times a run."""
    return Config(cfg.to_dict(), format_python_code=False)


class Layers:
    """A Config under construction, and the layer that set each of its values."""

    def __init__(self, source: str, cfg: Config) -> None:
        self.cfg = cfg
        self.sources = {"": source}

    def add(self, source: str, change: Callable[[Config], Any]) -> None:
        """Apply a change to the Config; the values that change get this source."""
        changed = copied(self.cfg)
        change(changed)
        self.replace(source, changed)

    def replace(self, source: str, cfg: Config) -> None:
        """Take another Config; the values that differ get this source."""
        before, self.cfg = self.cfg.to_dict(), cfg
        for key in changed_keys(before, cfg.to_dict()):
            self.sources = {known: said for known, said in self.sources.items() if not known.startswith(f"{key}.")}
            self.sources[key] = source

    def copy(self) -> "Layers":
        other = Layers("", copied(self.cfg))
        other.sources = dict(self.sources)
        return other

    def source(self, key: str) -> str:
        """The layer that set a dotted key, or the nearest key above it."""
        while key not in self.sources:
            key = key.rpartition(".")[0]
        return self.sources[key]

    def lines(self) -> Iterator[tuple[str, Any, str]]:
        """(dotted key, value, source) of every value."""
        for key, value in leaves(self.cfg.to_dict()):
            yield key, value, self.source(key)


def leaves(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of nested data; a list of plain values is one value."""
    if isinstance(node, dict) and node:
        children = [(str(key), value) for key, value in node.items()]
    elif isinstance(node, list | tuple) and any(isinstance(each, dict) for each in node):
        children = [(str(place), value) for place, value in enumerate(node)]
    else:
        yield name, node
        return
    for key, value in children:
        yield from leaves(value, f"{name}.{key}".lstrip("."))


def changed_keys(old: Any, new: Any, name: str = "") -> list[str]:
    """Dotted keys that differ between two nested configs; lists and tuples of equal length are compared by item."""
    pairs: list[tuple[Any, Any, Any]] = []
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [(key, old.get(key, ABSENT), new.get(key, ABSENT)) for key in [*old, *(new.keys() - old.keys())]]
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple) and len(old) == len(new):
        pairs = [(place, *pair) for place, pair in enumerate(zip(old, new, strict=True))]
    elif (type(old), old) != (type(new), new):  # 1 and 1.0 have different fingerprints
        return [name]
    return [found for key, one, two in pairs for found in changed_keys(one, two, f"{name}.{key}".lstrip("."))]
