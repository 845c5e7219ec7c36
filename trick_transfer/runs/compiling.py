"""Training steps through torch.compile, for `--compile`: the networks alone.

Draws, losses and the optimiser stay as they are, so that a seed draws what it always drew. What is scored or exported
is computed without, so that tools/test.py finds the same numbers.
"""

import os
import shutil
from typing import Any

from mmengine.hooks import Hook

from backbones.compiling import compiled_passes, put_in, take_out
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
    """Backbones run compiled while an epoch is trained."""

    def before_train(self, runner: Any) -> None:
        self.passes = compiled_passes(unwrapped(runner))

    def before_train_epoch(self, runner: Any) -> None:
        put_in(self.passes)

    def after_train_epoch(self, runner: Any) -> None:
        take_out(self.passes)
