"""The networks of a checkpoint: its names read in every spelling known to us, behind every prefix."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from torch import Tensor

from trick_transfer.engine.weights import COUNTER, behind, is_part, misfits, several

from .spelling import Spelling

HOLDERS = ("backbone", "encoder", "trunk")  # what stands beside one of these is the head
DERIVED = (COUNTER, "relative_position_index", "attn_mask", "total_ops", "total_params")  # nothing that was trained

MOST = 0.75  # of the tensors; the next smaller ResNet has up to 0.66 of them


@dataclass(frozen=True, eq=False)
class Reading:
    """Some tensors of a checkpoint (`state`) taken for a backbone's (`own`), in one spelling."""

    state: Mapping[str, Tensor]
    own: Mapping[str, Tensor]  # without the counters of batch norms
    spelling: Spelling
    prefix: str
    names: Mapping[str, str]  # {the backbone's, counters too: the checkpoint's, prefix included}

    @cached_property
    def fitting(self) -> set[str]:
        """The backbone's names whose tensors have its shapes, or differ from them by ones alone."""
        return {name for name, each in self.own.items() if name in self.names and alike(self.tensor(name), each)}

    @cached_property
    def left(self) -> dict[str, Tensor]:
        """What is left over in the backbone's layers; names less the prefix."""
        layers = {name.removeprefix(self.prefix).split(".")[0] for name in self.names.values()}
        beside = tuple(f"{module}." for module in self.spelling.beside)
        return {n: t for n, t in self.rest.items() if n.split(".")[0] in layers and not n.startswith(beside)}

    @cached_property
    def rest(self) -> dict[str, Tensor]:
        """All that stands behind the prefix and is not taken; names less the prefix."""
        there = self.state.keys() - self.names.values()
        names = [name for name in self.state if name in there and name.startswith(self.prefix)]
        return {name.removeprefix(self.prefix): self.state[name] for name in names}

    def tensor(self, own: str) -> Tensor:
        return self.state[self.names[own]]

    def short(self, own: str) -> str:
        """The checkpoint's name less the prefix, also of a tensor that it lacks."""
        return self.names.get(own, self.prefix + self.spelling.names[own]).removeprefix(self.prefix)

    def spared(self, patterns: Sequence[str]) -> set[str]:
        """The backbone's tensors that do not fit, and may be missing."""
        return {name for name in self.own.keys() - self.fitting if named(patterns, name, self.short(name))}

    def trained(self, patterns: Sequence[str]) -> dict[str, Tensor]:
        """What is `left` of trained tensors, and is not named by a pattern."""
        return {n: each for n, each in self.left.items() if not n.endswith(DERIVED) and not named(patterns, n)}

    def fault(self, patterns: Sequence[str]) -> str:
        """What does not fit and is not named by a pattern, in words; "" if all fits."""
        needed = self.own.keys() - self.spared(patterns)
        wanted = {self.short(name): each for name, each in self.own.items() if name in needed}
        there = {self.short(name): self.tensor(name) for name in needed & self.names.keys()}
        for name in self.fitting:
            there[self.short(name)] = self.tensor(name).reshape(self.own[name].shape)
        return misfits(wanted, there | self.trained(patterns))

    def is_torn(self, patterns: Sequence[str]) -> bool:
        """Whether the network is the backbone's, though tensors are missing: most are there, and none is another's."""
        foreign = self.trained(patterns) or self.fitting < self.names.keys() & self.own.keys()
        return not foreign and len(self.fitting) > MOST * len(self.own)

    def head(self, others: Collection[str]) -> dict[str, Tensor]:
        """What is beside the backbone, but not behind the prefixes of `others`; names less the prefix."""
        inside = {name: each for name, each in self.rest.items() if name not in self.left}
        *outer, holder = self.prefix.split(".")[:-1] or [""]
        if holder not in HOLDERS:
            return inside
        parent, away = "".join(f"{each}." for each in outer), (self.prefix, *others)
        names = [name for name in self.state if name.startswith(parent) and not name.startswith(away)]
        return inside | {name.removeprefix(parent): self.state[name] for name in names}


def alike(one: Tensor, other: Tensor) -> bool:
    """Whether two shapes differ by ones alone, as those of a 1x1 convolution and of a linear layer do."""
    return [n for n in one.shape if n != 1] == [n for n in other.shape if n != 1]


def named(patterns: Iterable[str], *names: str) -> bool:
    """Whether a pattern names one of these."""
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def readings(state: Mapping[str, Tensor], own: Mapping[str, Tensor], known: Iterable[Spelling]) -> Iterator[Reading]:
    """All readings of a checkpoint, each once, though several spellings may give it."""
    seen: list[Mapping[str, str]] = []
    for spelling in known:
        ours = {their: name for name, their in spelling.names.items()}
        for prefix, found in behind(state, ours).items():
            names = {ours[their]: there for their, there in found.items()}
            if names not in seen:
                seen.append(names)
                yield Reading(state, own, spelling, prefix, names)


def choose(found: Sequence[Reading], source: str, part: str, patterns: Sequence[str]) -> tuple[Reading, list[str]]:
    """Of `part`, what fits, else what fits best; the prefixes of others that fit. Raises ValueError if several do."""
    whole = [each for each in found if not each.own.keys() - each.fitting - each.spared(patterns)]
    asked = sorted((each for each in found if is_part(each.prefix, part)), key=lambda each: -len(each.fitting))
    # of one prefix, the best spelling counts; with nearly all spared, a few names that happen to agree do not
    best = {each.prefix: len(each.fitting) for each in reversed(asked)}
    rivals = [
        each for each in asked if each in whole and best[each.prefix] == len(each.fitting) > len(asked[0].fitting) / 2
    ]
    if len(rivals) > 1:
        raise several([each.prefix for each in rivals], source)
    taken = (rivals or asked)[0]
    return taken, [each.prefix for each in whole if each.prefix != taken.prefix]
