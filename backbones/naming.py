"""Our parameters' names <-> timm's and torchvision's, and -> those of mmdet's and mmseg's ResNets."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from trick_transfer.engine.weights import COUNTER, misfits

from .resnet import ResNet

SHORTCUT = {"1.conv": 1, "1.bn": 2, "conv": 0, "bn": 1}  # layer -> its number in timm; tweak D pools first


def timm_names(names: Iterable[str]) -> dict[str, str]:
    """Our parameters' names -> timm's; torchvision's are the same if the stem is one 7x7."""
    rules = [
        (r"head\.", "fc."),
        *((rf"stage(\d)\.(\d+)\.shortcut\.{our}", rf"layer\1.\2.downsample.{i}") for our, i in SHORTCUT.items()),
        *((rf"stage(\d)\.(\d+)\.path\.{i}\.(conv|bn)", rf"layer\1.\2.\g<3>{i + 1}") for i in range(3)),
    ]
    if any(name.endswith("stem.2.conv.weight") for name in names):
        # tweak C: conv1 = (conv, bn, act, conv, bn, act, conv), then bn1
        rules += [(rf"stem\.{i}\.conv", f"conv1.{3 * i}") for i in range(3)]
        rules += [(r"stem\.0\.bn", "conv1.1"), (r"stem\.1\.bn", "conv1.4"), (r"stem\.2\.bn", "bn1")]
    else:
        rules += [(r"stem\.0\.conv", "conv1"), (r"stem\.0\.bn", "bn1")]
    found = {}
    for name in names:
        short = name.removeprefix("backbone.")  # of a whole classifier
        renamed = [re.sub("^" + ours, theirs, short) for ours, theirs in rules if re.match(ours, short)]
        if not renamed:
            raise ValueError(f"{short} is not a parameter of our ResNet; a timm/NAME network already has timm's names")
        found[name] = renamed[0]
    return found


def to_timm(model: nn.Module, names: Iterable[str] = ()) -> dict[str, Tensor]:
    """The state dict of our backbone or whole classifier under timm's names. Raises ValueError if timm has no such.

    `names` are those of timm's own network, without which those of `timm_adapter` are not known.
    """
    check_strides(model)
    state = model.state_dict()
    if is_adapted(state) and names:
        return {their: state[name] for their, name in adapted_names(names, state).items()}
    return {their: state[name] for name, their in timm_names(state).items()}


def to_mm(net: ResNet) -> dict[str, Tensor]:
    """The state dict of our ResNet under the names of mmdet's and mmseg's, which are timm's but for a stem of three.

    A convolution's bias, which theirs do not have, goes into the mean that its batch norm subtracts: the same function.
    """
    names, state = timm_names(net.state_dict()), dict(net.state_dict())
    for name in [each for each in state if each.endswith("conv.bias")]:
        mean = name.replace("conv.bias", "bn.running_mean")
        state[mean] = state[mean] - state.pop(name)
    if "c" in net.tweak:
        names = {name: re.sub("^bn1", "stem.7", re.sub("^conv1", "stem", their)) for name, their in names.items()}
    return {names[name]: tensor for name, tensor in state.items()}


def from_timm(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """timm's state dict under the names of our backbone or classifier. Raises ValueError for another architecture."""
    check_strides(model)
    names = list(model.state_dict())
    if is_adapted(names):
        theirs = adapted_names(state, names)
    else:
        theirs = {their: name for name, their in timm_names(names).items()}
    state = {name: torch.tensor(0) for name in theirs if name.endswith(COUNTER)} | dict(state)
    own = model.state_dict()
    if fault := misfits({their: own[name] for their, name in theirs.items()}, state):
        raise ValueError(f"the weights are of another architecture: {fault}")
    return {name: state[their] for their, name in theirs.items()}


def is_adapted(names: Iterable[str]) -> bool:
    """Whether a network is one of `timm_adapter`."""
    return any(name.startswith(("net.", "backbone.net.")) for name in names)


def check_strides(model: nn.Module) -> None:
    """Raise ValueError for a bottleneck ResNet without tweak B: timm's has the same names, but other strides."""
    for net in model.modules():
        if isinstance(net, ResNet) and net.expansion > 1 and not net.tweak:
            raise ValueError(
                f"ResNet-{net.depth} without tweak B strides in the first 1x1, timm's and torchvision's in the 3x3, "
                "under the same names; use the recipe resnet50b_efficient, or --set model.backbone.tweak=b"
            )


def check_variant(model: nn.Module, source: str | Path) -> None:
    """Raise ValueError for a bottleneck ResNet with or without tweak B: weights with our names fit both."""
    if both := variants(model):
        raise ValueError(
            f"{source} fits {both} alike: only the strides differ; "
            "say which it is: --set model.backbone.tweak=b, or --set model.backbone.tweak="
        )


def variants(model: nn.Module) -> str:
    """The two networks that weights with our names fit, in words; "" if these fit one alone."""
    for net in model.modules():
        if isinstance(net, ResNet) and net.expansion > 1 and net.tweak in ("", "b"):
            return f"ResNet-{net.depth} with and without tweak B"
    return ""


def adapted_names(state: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """timm's name -> ours, for a network of `timm_adapter`: some of ours have an underscore for the first dot."""
    spelt = {their.replace(".", "_", 1): their for their in state} | {their: their for their in state}
    own = {name.removeprefix("backbone.").removeprefix("net."): name for name in names}
    found = {spelt.get(short, short): name for short, name in own.items()}
    for head in ("head.weight", "head.bias"):  # timm's is fc, classifier or head.fc, the only layer after the maps
        left = [their for their in state if their not in found and their.endswith(head.removeprefix("head"))]
        if head in found and len(left) == 1:
            found[left[0]] = found.pop(head)
    return found
