"""A run -> all that a Runner reads.

In this order: recipe or protocol, tricks, tier, the user's settings (`Run.layers`), the card of an earlier stage
(`Run.connected`), the machine (here).
"""

from importlib.util import find_spec
from uuid import uuid4

import torch
from mmengine.config import Config

from backbones.registry import sketch
from trick_transfer.engine import held_out
from trick_transfer.engine.batch import Batch
from trick_transfer.engine.held_out import HELD_OUT
from trick_transfer.engine.layers import Layers
from trick_transfer.engine.optimiser import FUSED

from .run import Run

TRACKERS = ("tensorboard", "mlflow", "wandb", "none")  # of scalars and pictures; the first is the default
PROJECT = "trick-transfer"


def resolve(run: Run, layers: Layers, batch: Batch) -> Layers:
    """All that a Runner reads: the batch spread over devices, hooks, tracker, launcher."""
    complete = layers.copy()
    complete.add("machine", lambda cfg: equip(run, cfg, batch))
    return complete


def equip(run: Run, cfg: Config, batch: Batch) -> None:
    """Add what the machine and the engine decide."""
    run.task.finish(cfg, batch)
    if not cfg.train_cfg.max_epochs:  # nothing is trained, so no epoch is chosen
        cfg.pop(HELD_OUT, None)
    if HELD_OUT in cfg:
        held_out.split(cfg, run.task)
    cfg.optim_wrapper.constructor = "trick_transfer.MergedGroups"
    cfg.optim_wrapper.optimizer.update(FUSED)
    if uses_low_precision(cfg):
        cfg.optim_wrapper.precision = run.precision
    cfg.train_dataloader.dataset.seed = run.seed
    for loader in filter(None, (cfg.train_dataloader, cfg.val_dataloader, cfg.get("test_dataloader"))):
        loader.persistent_workers = bool(loader.num_workers)  # torch refuses them where there are none
        loader.setdefault("pin_memory", torch.cuda.is_available())
        if steps := loader.pop("num_batch_per_epoch", None):  # mmengine's asks for images that may not be there
            limit(loader, steps * loader.batch_size * batch.devices)
    cfg.work_dir = str(run.folder)
    cfg.experiment_name = uuid4().hex  # mmengine's is the second: runs that share it share log and curves
    cfg.randomness = dict(seed=run.seed)
    cfg.log_level = "ERROR"  # its warnings are not about us; the scalars are kept by the visualiser
    cfg.default_hooks = dict(
        history=dict(type="trick_transfer.History"),
        finite_loss=dict(type="trick_transfer.FiniteLoss"),
        checkpoint=dict(type="trick_transfer.WholeCheckpoint", after_scoring=scores_each_epoch(cfg)),
        param_scheduler=dict(type="trick_transfer.ScheduleUpdates"),
        logger=dict(type="trick_transfer.OpenLogger", interval=20),
    )
    cfg.custom_hooks = [
        dict(type="trick_transfer.SeedEachStep", accumulation=batch.accumulation),
        dict(type="trick_transfer.ProgressLine", title=f"{run.name} seed {run.seed} {run.stage}"),
    ]
    cfg.custom_hooks += held_out.hooks(cfg, run.task) if HELD_OUT in cfg else []
    if run.compiled:
        cfg.custom_hooks.append(dict(type="trick_transfer.CompiledTraining"))
    cfg.visualizer = dict(type="Visualizer", vis_backends=backends(run))
    if run.tracker != "none":
        cfg.custom_hooks.append(dict(type="trick_transfer.ShowPredictions", stage=run.stage))
    if batch.devices > 1:
        cfg.launcher = "pytorch"
        cfg.custom_hooks.append(dict(type="SyncBuffersHook"))  # one model is scored, not one a process
        backbone = cfg.model.backbone  # of no type where `show` has no card
        unused = "type" in backbone and not sketch(backbone).sequential  # then DDP has to look for them, in every step
        cfg.model_wrapper_cfg = dict(
            type="trick_transfer.ChannelsLastParallel", broadcast_buffers=False, find_unused_parameters=unused
        )
    if batch.devices > 1 and not torch.cuda.is_available():
        cfg.model_wrapper_cfg.device_ids = None
        cfg.sync_bn = None  # torch's works on CUDA only; here each process has batch norms of its own


def scores_each_epoch(cfg: Config) -> bool:
    """Whether each epoch of the training ends with a scoring."""
    return max(cfg.train_cfg.get("val_begin", 1), cfg.train_cfg.get("val_interval", 1)) <= 1


def limit(loader: dict, images: int) -> None:
    """Let a loader's Config read so many images alone."""
    loader["dataset"] = dict(type="trick_transfer.Spread", images=images, dataset=loader["dataset"])


def uses_low_precision(cfg: Config) -> bool:
    """Whether a Config asks for it; what it is, the machine or `--precision` decides."""
    return "LowPrecision" in cfg.optim_wrapper.type


def check_tracker(tracker: str) -> None:
    """Raise ValueError where its package is not installed."""
    if tracker != "none" and find_spec(tracker) is None:
        raise ValueError(f"--tracker {tracker} needs the package {tracker}: pip install 'trick-transfer[{tracker}]'")


def backends(run: Run) -> list[dict]:
    """mmengine's `vis_backends`: a record in the run's folder always, and the tracker's."""
    tier, title = run.tier_file.name, f"{run.name} {run.stage} seed{run.seed}"
    mlflow = dict(  # mlflow ui --backend-store-uri sqlite:///work/mlflow.db
        exp_name=f"{PROJECT} {tier}",
        run_name=title,
        tracking_uri=f"sqlite:///{(run.work_dir / 'mlflow.db').absolute()}",
        artifact_location=str((run.work_dir / "mlflow").absolute()),
    )
    known: dict[str, list[dict]] = {
        "none": [],
        "tensorboard": [dict(type="TensorboardVisBackend")],  # tensorboard --logdir work
        "mlflow": [dict(type="MLflowVisBackend", **mlflow)],
        "wandb": [dict(type="WandbVisBackend", init_kwargs=dict(project=PROJECT, group=tier, name=title))],
    }
    return [dict(type="LocalVisBackend"), *known[run.tracker]]


def show(run: Run, devices: int, accumulation: int) -> None:
    """Print `key = value  # source` for every value that a Runner would read."""
    layers = run.connected() if run.card.is_file() else run.layers
    for key, value, source in resolve(run, layers, run.batch(devices, accumulation)).lines():
        print(f"{key} = {value!r}  # {source}")
