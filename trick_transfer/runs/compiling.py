"""Training steps through torch.compile, for `--compile`: the networks alone, where nearly all the time goes.

Draws, losses and the optimiser stay as they are, so that a seed draws what it always drew. What is scored or exported
is computed without, so that tools/test.py finds the same numbers.
"""

import os
import shutil
from typing import Any

import torch
from mmengine.hooks import Hook

from backbones.base import Backbone
from trick_transfer.engine.checkpoint import unwrapped
from trick_transfer.registry import HOOKS

COMPILERS = ("g++", "gcc", "clang++", "clang")  # torch's for a CPU, Triton's for what starts its kernels


def check_compiler(wanted: bool) -> None:
    """Raise ValueError where steps are to be compiled, and there is nothing to do it with."""
    known = [*filter(None, map(os.environ.get, ("CXX", "CC"))), *COMPILERS]
    if wanted and not any(map(shutil.which, known)):
        raise ValueError("--compile needs a C++ compiler, and there is no g++; install one, or leave --compile out")


@HOOKS.register_module()
class CompiledTraining(Hook):
    """Each backbone of the model, a teacher's too, compiled in training steps only; no parameter's name changes."""

    def before_train(self, runner: Any) -> None:
        model = unwrapped(runner)
        models = [model, *(teacher.model for teacher in getattr(model, "teacher", ()))]
        networks = (part for each in models for part in each.modules() if isinstance(part, Backbone))
        self.compiled = {network: torch.compile(network.forward) for network in networks}

    def before_train_epoch(self, runner: Any) -> None:
        for network, forward in self.compiled.items():
            vars(network)["forward"] = forward  # found before the class's

    def after_train_epoch(self, runner: Any) -> None:
        for network in self.compiled:
            del vars(network)["forward"]
