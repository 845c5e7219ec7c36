"""A run -> all that a Runner reads.

In this order: recipe or protocol, tricks, tier, the user's settings (`Run.layers`), the card of an earlier stage
(`Run.connected`), the machine (here).
"""

from uuid import uuid4

import torch
from mmengine.config import Config

from trick_transfer.engine.batch import Batch
from trick_transfer.engine.layers import Layers
from trick_transfer.engine.optimiser import FUSED

from .run import Run
from .tracking import backends


def resolve(run: Run, layers: Layers, batch: Batch) -> Layers:
    """All that a Runner reads: the batch spread over devices, hooks, tracker, launcher."""
    complete = layers.copy()
    complete.add("machine", lambda cfg: equip(run, cfg, batch))
    return complete


def equip(run: Run, cfg: Config, batch: Batch) -> None:
    """Add what only the machine and the engine decide."""
    run.task.finish(cfg, batch)
    cfg.optim_wrapper.constructor = "trick_transfer.MergedGroups"
    cfg.optim_wrapper.optimizer.update(FUSED)
    cfg.train_dataloader.dataset.seed = run.seed
    cfg.work_dir = str(run.folder)
    cfg.experiment_name = uuid4().hex  # mmengine's is the second: runs that share it share log and curves
    cfg.randomness = dict(seed=run.seed)
    cfg.log_level = "ERROR"  # its warnings are not about us; the scalars are kept by the visualiser
    cfg.default_hooks = dict(
        history=dict(type="trick_transfer.History"),
        checkpoint=dict(type="trick_transfer.WholeCheckpoint"),
        logger=dict(type="trick_transfer.OpenLogger", interval=20),
    )
    cfg.custom_hooks = [
        dict(type="trick_transfer.SeedEachStep", accumulation=batch.accumulation),
        dict(type="trick_transfer.ProgressLine", title=f"{run.name} seed {run.seed} {run.stage}"),
    ]
    cfg.visualizer = dict(type="Visualizer", vis_backends=backends(run.tracker, run))
    if run.tracker != "none":
        cfg.custom_hooks.append(dict(type="trick_transfer.ShowPredictions", stage=run.stage))
    if batch.devices > 1:
        distribute(cfg)


def distribute(cfg: Config) -> None:
    """Several processes, one model each."""
    cfg.launcher = "pytorch"
    cfg.custom_hooks.append(dict(type="SyncBuffersHook"))  # one model is scored, not one a process
    cfg.model_wrapper_cfg = dict(type="trick_transfer.ChannelsLastParallel", broadcast_buffers=False)
    if not torch.cuda.is_available():
        cfg.model_wrapper_cfg.device_ids = None
        cfg.sync_bn = None  # torch's works on CUDA only; here each process has batch norms of its own


def show(run: Run, devices: int = 1, accumulation: int = 1) -> None:
    """Print `key = value  # source` for every value that a Runner would read."""
    layers = run.connected() if run.card.is_file() else run.layers
    for key, value, source in resolve(run, layers, run.batch(devices, accumulation)).lines():
        print(f"{key} = {value!r}  # {source}")
