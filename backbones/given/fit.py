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
    whose: str  # names the checkpoint has: `OURS`, or those of somebody else
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
        fits = f"{len(reading.fitting)} of {len(own)} tensors fit, read as {read_as(reading)}; {fault}"
        if reading.is_torn(allow_missing):
            mend = "get it whole, or --allow-missing PATTERN lets those that it names start anew"
            raise ValueError(f"{source} is not all of {label(backbone)}: {fits}; {mend}")
        there = [name for name in state if name.startswith(reading.prefix)]
        raise ValueError(f"{source} is of another architecture than {label(backbone)}: {fits}{looks_like(there)}")
    reading.spelling.check(backbone, source)
    check_patterns(allow_missing, reading)
    lines = list(tell(reading, head))
    if everything.keys() - dict(leaves(held)).keys():
        lines.insert(1, "read without torch's wrappers amid the names")
    if reading.spelling.who == OURS and (both := variants(backbone)):
        lines.append(f"they fit {both} alike, of which the backbone is one: only the strides differ")
    trunk = {name: taken(name, each, reading) for name, each in start.items()}
    return Fitted(trunk, head, reading.spelling.who, tuple(lines))


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
        yield f"missing or of another shape, as allowed; the backbone's start is kept: {some(missing)}"
    pairs = {reading.short(name): (reading.tensor(name), reading.own[name]) for name in fitting}
    if changed := {
        name: (shape(their), shape(our)) for name, (their, our) in pairs.items() if their.shape != our.shape
    }:
        yield f"reshaped: {some([f'{name} {their} to {our}' for name, (their, our) in changed.items()])}"
    if kinds := Counter(str(their.dtype) for their, our in pairs.values() if their.dtype != our.dtype):
        yield f"converted: {', '.join(f'{count} of {kind}' for kind, count in kinds.items())}"
    if reading.left:
        yield f"left over in the backbone's layers: {some(reading.left)}"
    if head:
        yield f"beside the backbone: {some([f'{name} {shape(each)}' for name, each in head.items()])}"


def shape(tensor: Tensor) -> str:
    """As `(64, 3, 7, 7)`."""
    return str(tuple(tensor.shape))


def check_patterns(patterns: Sequence[str], reading: Reading) -> None:
    """Raise ValueError for a pattern that names nothing: it would hide a slip of the pen."""
    names = [*reading.own, *map(reading.short, reading.own), *reading.left]
    for pattern in patterns:
        if not any(named([pattern], name) for name in names):
            raise ValueError(f"--allow-missing {pattern} names no tensor of the backbone, such as {names[0]}")
