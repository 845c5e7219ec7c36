"""The names of EfficientNets and MobileNets by others than timm: a layer's name follows from its place."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from .spelling import Spelling

ENDS = ("conv_stem", "bn1", "conv_head", "bn2", "classifier")  # timm's layers before and after the blocks
PART = {"conv": "0", "bn": "1", "se.conv_reduce": "fc1", "se.conv_expand": "fc2"}  # torchvision's


@dataclass(frozen=True)
class Place:
    """Where a layer of a block is. A convolution with its norm is one step, squeeze-and-excitation is another."""

    stage: int
    number: int  # of the block in its stage
    block: int  # of the block in the network
    step: int
    last: bool  # of the block's steps
    after: int  # convolutions that follow in the block
    kind: str  # of PART, or timm's

    @property
    def odd(self) -> bool:
        """Whether only timm has such a layer, as in MobileNetV4, MixNet and GhostNet."""
        return self.kind not in PART or self.after > 2


def places(timm: Iterable[str]) -> dict[str, Place]:
    """timm's layers in blocks -> their places; `timm` are all its parameters' names in its order."""
    blocks: dict[tuple[int, int], list[list[str]]] = {}
    for layer in dict.fromkeys(name.rpartition(".")[0] for name in timm):
        if match := re.match(r"blocks\.(\d+)\.(\d+)\.(.+)", layer):
            steps = blocks.setdefault((int(match[1]), int(match[2])), [])
            if re.match(r"conv|se\.conv_reduce", match[3]) or not steps:
                steps.append([])
            steps[-1].append(match[3])
    found = {}
    for block, ((stage, number), steps) in enumerate(blocks.items()):
        convs = [layers[0].startswith("conv") for layers in steps]
        for step, layers in enumerate(steps):
            where = stage, number, block, step, step == len(steps) - 1, sum(convs[step + 1 :])
            for layer in layers:
                found[f"blocks.{stage}.{number}.{layer}"] = Place(*where, re.sub(r"^(conv|bn).*", r"\1", layer))
    return found


def lukemelas(at: Place) -> str:
    """As the package efficientnet_pytorch: `_blocks.N._expand_conv`, which some blocks lack."""
    index = 2 - at.after
    conv = ("_expand_conv", "_depthwise_conv", "_project_conv")[index]
    kinds = {"conv": conv, "bn": f"_bn{index}", "se.conv_reduce": "_se_reduce", "se.conv_expand": "_se_expand"}
    return f"_blocks.{at.block}.{kinds[at.kind]}"


def efficientnet(at: Place) -> str:
    """As torchvision."""
    return f"features.{at.stage + 1}.{at.number}.block.{at.step}.{PART[at.kind]}"


def mobilenet_v2(at: Place) -> str:
    """As torchvision: the last convolution and its norm are no pair of their own."""
    layer = str(at.step + (at.kind == "bn")) if at.last else f"{at.step}.{PART[at.kind]}"
    return f"features.{at.block + 1}.conv.{layer}"


def numbered(at: Place) -> str:
    """As the repository pytorch-mobilenet-v2 (tonylins): each convolution, norm and activation has a number."""
    return f"features.{at.block + 1}.conv.{3 * at.step + (at.kind == 'bn')}"


def mobilenet_v3(at: Place) -> str:
    """As torchvision: the last convolution, a block of timm's, is none."""
    alone = at.last and at.step == 0
    return f"features.{at.block + 1}." + ("" if alone else f"block.{at.step}.") + PART[at.kind]


def block_spellings(timm: Mapping[str, str]) -> Iterator[Spelling]:
    """The spellings of {the network's names: timm's}; none of a network that has layers without a name in them."""
    where = places(timm.values())
    layers_of_timm = {name.rpartition(".")[0] for name in timm.values()}
    if not where or layers_of_timm - where.keys() - set(ENDS) or any(at.odd for at in where.values()):
        return
    blocks, stages = (1 + max(getattr(at, of) for at in where.values()) for of in ("block", "stage"))

    def spelling(who: str, rule: Callable[[Place], str], ends: str, eps: float, same: bool = False) -> Spelling:
        layers = dict(zip(ENDS, ends.format(blocks + 1, stages + 1).split(), strict=True))
        beside = layers["conv_head"], layers["bn2"]
        layers |= {layer: rule(at) for layer, at in where.items()}
        cut = {own: name.rpartition(".") for own, name in timm.items()}
        names = {own: f"{layers[layer]}.{leaf}" for own, (layer, _, leaf) in cut.items()}
        return Spelling(who, names, beside, eps, same)

    large = 1e-3 if blocks > 32 else 1e-5  # B5 and larger, and V2
    first = "features.0.0 features.0.1"
    yield spelling("lukemelas' EfficientNet", lukemelas, "_conv_stem _bn0 _conv_head _bn1 _fc", 1e-3, same=True)
    yield spelling(
        "torchvision's EfficientNet", efficientnet, f"{first} features.{{1}}.0 features.{{1}}.1 classifier.1", large
    )
    last = f"{first} features.{{0}}.0 features.{{0}}.1 classifier.1"
    yield spelling("torchvision's MobileNetV2", mobilenet_v2, last, 1e-5)
    yield spelling("tonylins' MobileNetV2", numbered, last, 1e-5)
    yield spelling("torchvision's MobileNetV3", mobilenet_v3, f"{first} classifier.0 - classifier.3", 1e-3)
