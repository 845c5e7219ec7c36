"""Score weights of one stage, without training."""

from pathlib import Path

from mmengine.dist import barrier, is_main_process
from mmengine.runner import Runner

from trick_transfer.engine.checkpoint import unwrapped
from trick_transfer.engine.held_out import HELD_OUT
from trick_transfer.engine.weights import load, load_strictly, weights_in

from .data import check_data
from .group import is_first_here, processes
from .resolve import resolve
from .run import Run
from .training import make_runner


def score(run: Run, checkpoint: Path, outputs: Path | None = None) -> dict[str, float]:
    """A checkpoint's metrics in percent, and samples_scored; {} in the helping processes. Raises as `scorer` does."""
    first_here = is_first_here()
    with processes() as devices:
        if first_here:
            check_data(run, training=False)
        barrier()
        metrics = scorer(run, checkpoint, devices, outputs).val()
        return metrics if is_main_process() else {}


def scorer(run: Run, checkpoint: Path, devices: int = 1, outputs: Path | None = None) -> Runner:
    """A Runner that scores a checkpoint. Raises ValueError for one that does not fit."""
    held, layers = load(checkpoint), run.connected()
    layers.cfg.pop(HELD_OUT, None)  # what is always scored, is
    cfg = resolve(run, layers, run.batch()._replace(devices=devices)).cfg
    cfg.model.pop("teacher", None)  # it has no part in scoring, nor has what is read and built for training
    cfg.train_dataloader = cfg.train_cfg = cfg.optim_wrapper = cfg.param_scheduler = None
    if not cfg.val_evaluator:
        raise ValueError(f"{run.name} has no head for the classes of {run.root}, so there is nothing to score")
    cfg.val_evaluator.outputs = str(outputs) if outputs else None
    runner = make_runner(cfg)
    model = unwrapped(runner)
    load_strictly(model, weights_in(held, checkpoint, model.state_dict()), checkpoint)
    return runner
