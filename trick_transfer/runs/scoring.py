"""A checkpoint scored again, without training: the run's own, or one from elsewhere."""

from pathlib import Path

from trick_transfer.engine.checkpoint import load_strictly, read_weights

from .resolve import resolve
from .run import Run
from .training import make_runner, unwrapped


def score(run: Run, checkpoint: Path, outputs: Path | None = None) -> dict[str, float]:
    """Metrics in percent, and samples_scored. Raises ValueError for a checkpoint that does not fit."""
    run.check_data()
    weights = read_weights(checkpoint)
    cfg = resolve(run, run.connected(), run.batch()).cfg
    cfg.model.teacher = None  # it has no part in scoring
    cfg.val_evaluator.outputs = str(outputs) if outputs else None
    runner = make_runner(cfg)
    load_strictly(unwrapped(runner), weights, checkpoint)
    return runner.val()
