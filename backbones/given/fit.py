"""Any checkpoint -> a backbone's tensors, with a report of how they were found; nothing is guessed, all is told."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from trick_transfer.engine.weights import COUNTER, check_values, flat, is_part, leaves, no_names, some

from ..naming import variants
from .key_maps import spellings
from .looks import looks_like
from .reading import Reading, choose, named, readings
from .spelling import OURS, label


@dataclass(frozen=True)
class Fitted:
    """A backbone as a checkpoint holds it; `report` is lines for people."""

    trunk: dict[str, Tensor]  # all of the backbone's tensors, under its own names and of its shapes
    head: dict[str, Tensor]  # what the checkpoint has beside them, under its own names less the prefix
    report: tuple[str, ...]


def fit(held: Any, source: str, backbone: nn.Module, part: str = "", allow_missing: Sequence[str] = ()) -> Fitted:
    """Find a backbone in what `engine.weights.load` returned; `part` is the prefix of one of several networks.

    `allow_missing`: patterns (fnmatch) of the backbone's or the checkpoint's names, the latter less the prefix. What
    they name may be missing, and keeps the backbone's start, or be left over. Raises ValueError of one line: no network
    fits, several do, or values are not finite real numbers.
    """
    everything = flat(held, source)
    state = {name: value for name, value in everything.items() if isinstance(value, Tensor)}
    start = backbone.state_dict()
    own = {name: each for name, each in start.items() if not name.endswith(COUNTER)}
    found = list(readings(state, own, spellings(backbone)))
    if not any(is_part(each.prefix, part) for each in found):
        raise ValueError(f"{no_names(state, list(own), source, part)}{looks_like(state)}")
    reading, others = choose(found, source, part, allow_missing)
    head = reading.head(others)
    check_values({name: state[name] for name in reading.names.values()} | head, source)
    if fault := reading.fault(allow_missing):
        told = f"{len(reading.fitting)} of {len(own)} tensors do, read as {read_as(reading)}; {fault}"
        there = {name: each for name, each in state.items() if name.startswith(reading.prefix)}
        raise ValueError(f"{source} does not fit {label(backbone)}: {told}{looks_like(there)}")
    reading.spelling.check(backbone, source)
    check_patterns(allow_missing, reading)
    lines = list(tell(reading, head))
    if len(everything.keys() - dict(leaves(held)).keys()):
        lines.insert(1, "read without torch's wrappers amid the names")
    if reading.spelling.who == OURS and (both := variants(backbone)):
        lines.append(f"they fit {both} alike; taken for tweak {backbone.tweak!r}")
    return Fitted({name: taken(name, each, reading) for name, each in start.items()}, head, tuple(lines))


def taken(name: str, start: Tensor, reading: Reading) -> Tensor:
    """A tensor of the checkpoint's in the backbone's shape and type; the backbone's start where it lacks one."""
    if name in reading.fitting:
        return reading.tensor(name).reshape(start.shape).to(start.dtype)
    counted = name.endswith(COUNTER) and name in reading.names
    return reading.tensor(name).reshape(start.shape) if counted else start


def read_as(reading: Reading) -> str:
    """A spelling and a prefix, in words."""
    return f"{reading.spelling.who} names" + (f" behind {reading.prefix}" if reading.prefix else "")


def tell(reading: Reading, head: Mapping[str, Tensor]) -> Iterator[str]:
    """How a checkpoint was read, line by line."""
    fitting = sorted(reading.fitting)
    yield f"read as {read_as(reading)}"
    yield f"matched {len(fitting)} of the backbone's {len(reading.own)} tensors ({len(fitting) / len(reading.own):.1%})"
    if missing := reading.own.keys() - reading.fitting:
        yield f"missing, as allowed; the network's start is kept: {some(missing)}"
    changed = [name for name in fitting if reading.tensor(name).shape != reading.own[name].shape]
    if changed:
        shapes = [
            f"{reading.short(n)} {tuple(reading.tensor(n).shape)} to {tuple(reading.own[n].shape)}" for n in changed
        ]
        yield f"reshaped: {some(shapes)}"
    kinds = Counter(str(reading.tensor(n).dtype) for n in fitting if reading.tensor(n).dtype != reading.own[n].dtype)
    if kinds:
        yield f"converted: {', '.join(f'{count} of {kind}' for kind, count in kinds.items())}"
    if reading.left:
        yield f"left over in the backbone's layers: {some(reading.left)}"
    if head:
        yield f"beside the backbone: {some([f'{name} {tuple(each.shape)}' for name, each in head.items()])}"


def check_patterns(patterns: Sequence[str], reading: Reading) -> None:
    """Raise ValueError for a pattern that names nothing: it would hide a slip of the pen."""
    names = [*reading.own, *map(reading.short, reading.own), *reading.left]
    for pattern in patterns:
        if not any(named([pattern], name) for name in names):
            raise ValueError(f"--allow-missing {pattern} names no tensor of the backbone, such as {names[0]}")
