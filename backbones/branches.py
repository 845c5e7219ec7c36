"""Residual branches: whether a network uses them, as one with zero gamma (sec. 3.1) starts without them.

A branch ends in a batch norm or a linear layer; with that layer's parameters at 0 the block is its shortcut.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from operator import attrgetter

import torch
from torch import Tensor, nn

from .base import Backbone

# class of a block -> the last layer of each of its branches, or names that it may have: the first class is ours, the
# others are timm's, where architectures share such names
LAST_LAYERS = {
    "Residual": ("last_norm",),
    "BasicBlock": ("bn2",),
    "Bottleneck": ("bn3", "conv3.bn"),
    "DepthwiseSeparableConv": ("bn2",),
    "EdgeResidual": ("bn2",),
    "InvertedResidual": ("bn3",),
    "UniversalInvertedResidual": ("pw_proj.bn",),
    "ConvNeXtBlock": ("mlp.fc2",),
    "SwinTransformerBlock": ("attn.proj", "mlp.fc2"),
    "Block": ("attn.proj", "mlp.fc2"),
}


def last_layers(backbone: Backbone) -> Iterator[tuple[str, nn.Module]]:
    """(block's name, last layer) of every residual branch."""
    for name, block in backbone.named_modules():
        if getattr(block, "has_skip", True):  # timm's mobile blocks have a shortcut only where shapes agree
            for path in LAST_LAYERS.get(type(block).__name__, ()):
                with suppress(AttributeError):
                    yield name, attrgetter(path)(block)


@contextmanager
def branches_off(backbone: Backbone) -> Iterator[None]:
    """Every residual block is its shortcut, inside the context."""
    parameters = [parameter for _, layer in last_layers(backbone) for parameter in layer.parameters()]
    kept = [parameter.detach().clone() for parameter in parameters]
    try:
        with torch.no_grad():
            for parameter in parameters:
                parameter.zero_()
        yield
    finally:
        with torch.no_grad():
            for parameter, values in zip(parameters, kept, strict=True):
                parameter.copy_(values)


def last_gammas(backbone: Backbone) -> dict[int, Tensor]:
    """Stage -> |gamma| of the batch norms that end its branches; no stage for other layers."""
    found: dict[int, list[Tensor]] = {}
    for name, layer in last_layers(backbone):
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            parameter = next(each for each, _ in backbone.named_parameters() if each.startswith(f"{name}."))
            found.setdefault(backbone.stage_of(parameter), []).append(layer.weight.detach().abs().cpu())
    return {stage: torch.cat(gammas) for stage, gammas in sorted(found.items())}
