"""One checkpoint per run, `latest.pth`, replaced whole after every epoch: a kill costs at most the current epoch.

An epoch that ends with accumulated gradients still to be applied writes none; a later epoch does.
"""

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader

from trick_transfer.registry import HOOKS

from .files import write_whole
from .weights import check_values, load, load_strictly

LATEST = "latest.pth"
SAFELY = "safely:"  # before a path: mmengine's runner reads it with `read_checkpoint`
PARTS = dict(meta=dict, state_dict=dict, message_hub=dict, optimizer=dict, param_schedulers=list)
SCALARS = "log_scalars"  # of mmengine's message hub; its pickled HistoryBuffers hold functions
POSITION = ("epoch", "iter")
KEPT = (*POSITION, "seed", "dataset_meta")  # of mmengine's meta


@HOOKS.register_module()
class WholeCheckpoint(Hook):
    """Weights, optimiser, schedule and position after each epoch that ends with a step; see CONTRIBUTING.md.

    `after_scoring`: once the epoch is scored, so that no score is lost, on which something may depend.
    """

    priority = "VERY_LOW"
    training = False  # else what is scored is no epoch of a training

    def __init__(self, after_scoring: bool = False) -> None:
        self.after_scoring = after_scoring

    def before_train(self, runner: Any) -> None:
        self.training = True

    def after_train(self, runner: Any) -> None:
        self.training = False

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """The position in steps of this run, which may accumulate another number of them for one update."""
        if runner._resume:  # else weights are loaded alone
            load_strictly(unwrapped(runner), checkpoint["state_dict"], LATEST)  # mmengine leaves out what does not fit
            steps = runner.train_loop.max_iters // runner.train_loop.max_epochs
            checkpoint["meta"]["iter"] = checkpoint["meta"]["epoch"] * steps

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        scalars = checkpoint["message_hub"][SCALARS]
        checkpoint["message_hub"][SCALARS] = {name: each.data for name, each in scalars.items()}  # arrays alone
        check_values(checkpoint["state_dict"], f"after epoch {checkpoint['meta']['epoch']}")

    def after_train_epoch(self, runner: Any) -> None:
        if not self.after_scoring:
            self.save(runner)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        if self.after_scoring and self.training:
            self.save(runner, meta=dict(epoch=runner.epoch))  # else the next one

    def save(self, runner: Any, **options: Any) -> None:
        # a checkpoint cannot hold accumulated gradients
        if is_main_process() and runner.optim_wrapper.should_update():
            path = Path(runner.work_dir, LATEST)
            write_whole(path, lambda part: runner.save_checkpoint(str(part.parent), part.name, **options))


def unwrapped(runner: Any) -> Any:
    """The model, out of its data-parallel wrapper."""
    return getattr(runner.model, "module", runner.model)


@CheckpointLoader.register_scheme(prefixes=SAFELY)
def read_checkpoint(name: str, device: Any = "cpu") -> dict[str, Any]:
    """What `WholeCheckpoint` wrote, for mmengine's runner. Raises ValueError, and runs nothing that the file holds.

    mmengine's own reader falls back to running it, and its `resume` runs the text in meta["config"].
    """
    path = name.removeprefix(SAFELY)
    try:
        found = load(path, device)
        whole = isinstance(found, dict) and all(isinstance(found.get(key), kind) for key, kind in PARTS.items())
        if not whole or not all(isinstance(found["meta"].get(key), int) for key in POSITION):
            raise ValueError(f"{path} is not a checkpoint of a training")
        check_values(found["state_dict"], path)
        scalars = found["message_hub"].get(SCALARS, {})
        found["message_hub"][SCALARS] = {name: HistoryBuffer(*each) for name, each in scalars.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{error}; delete {path}, and the stage starts from the beginning") from error
    return found | {"meta": {key: found["meta"][key] for key in KEPT if key in found["meta"]}}
