"""Backbones through torch.compile: where nearly all the time of a training step goes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .base import Backbone

Passes = dict[Backbone, Callable[..., Any]]


def compiled_passes(model: nn.Module) -> Passes:
    """Each backbone of a model, a teacher's too, and its forward pass, which is compiled when it is first called."""
    models = [model, *(teacher.model for teacher in getattr(model, "teacher", ()))]
    networks = (part for each in models for part in each.modules() if isinstance(part, Backbone))
    return {network: torch.compile(network.forward) for network in networks}


def put_in(passes: Passes) -> None:
    """Let backbones run these; no parameter's name changes."""
    for network, forward in passes.items():
        vars(network)["forward"] = forward  # found before the class's


def take_out(passes: Passes) -> None:
    """Let backbones run what they ran before."""
    for network in passes:
        del vars(network)["forward"]
