"""One checkpoint per run, `latest.pth`, replaced whole after every epoch: a kill costs at most the current epoch.

An epoch that ends with accumulated gradients still to be applied writes none; a later epoch does.
"""

from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from safetensors.torch import load_file
from torch import Tensor, nn

from trick_transfer.registry import HOOKS

from .files import write_whole

LATEST = "latest.pth"


@HOOKS.register_module()
class WholeCheckpoint(Hook):
    """Weights, optimiser, schedule and position after each epoch that ends with a step; see CONTRIBUTING.md."""

    priority = "VERY_LOW"

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """The position in steps of this run, which may accumulate another number of them for one update."""
        if runner._resume:  # else weights are loaded alone
            steps = runner.train_loop.max_iters // runner.train_loop.max_epochs
            checkpoint["meta"]["iter"] = checkpoint["meta"]["epoch"] * steps

    def after_train_epoch(self, runner: Any) -> None:
        # a checkpoint cannot hold accumulated gradients
        if is_main_process() and runner.optim_wrapper.should_update():
            path = Path(runner.work_dir, LATEST)
            write_whole(path, lambda part: runner.save_checkpoint(str(part.parent), part.name))


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """A state dict from .safetensors or .pth. Raises FileNotFoundError, ValueError unless it is whole weights."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint {path} does not exist")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)  # it may come from elsewhere
    except Exception as error:
        reason = str(error).split(". ")[0].splitlines()[0]  # without torch's advice to read it unsafely
        raise ValueError(f"{path} is not a plain, whole checkpoint of weights: {reason}") from error
    if not isinstance(state, dict):
        raise ValueError(f"{path} holds a {type(state).__name__}, not a state dict")
    return state["state_dict"] if "state_dict" in state else state.get("model", state)


def load_strictly(module: nn.Module, state: dict[str, Tensor], source: str | Path) -> None:
    """Load a state dict whose names and shapes are exactly the module's. Raises ValueError that lists the others."""
    own = module.state_dict()
    misfits = sorted(own.keys() ^ state.keys()) or sorted(k for k in own if own[k].shape != state[k].shape)
    if misfits:
        more = f" and {len(misfits) - 4} more" if len(misfits) > 4 else ""
        raise ValueError(f"{source} does not fit {type(module).__name__} in {', '.join(misfits[:4])}{more}")
    module.load_state_dict(state)
