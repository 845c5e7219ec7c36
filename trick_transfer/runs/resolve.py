"""A run -> its Config: recipe or protocol, tricks, tier, the user's settings, an earlier stage's card, the machine."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import torch
from mmengine.config import Config

from trick_transfer.engine.batch import Batch
from trick_transfer.engine.layers import Layers
from trick_transfer.engine.optimiser import FUSED, check_optimiser
from trick_transfer.engine.values import override

from .tracking import backends

if TYPE_CHECKING:
    from .run import Run

# what may differ between two machines without the numbers being another experiment's
PLACES = ("root", "data_root", "weights", "card", "num_workers", "persistent_workers", "outputs")
OURS = ("backbones.", "classification.", "detection.", "segmentation.", "trick_transfer.")


def draft(run: "Run") -> Layers:
    """The experiment, before an earlier stage's card is known. Raises ValueError for what cannot be trained so."""
    task, tier = run.task, run.tier_file
    early = {key: value for key, value in run.sets.items() if task.is_early(key)}
    late = {key: value for key, value in run.sets.items() if key not in early}
    layers = task.draft(run.recipe_or_protocol, early)
    layers.add(f"tier {tier.name}", lambda cfg: tier.change(cfg, run.stage, run.recipe_or_protocol))
    if root := run.given_root:
        layers.add("--data-root" if run.data_root else f"tier {tier.name}", lambda cfg: task.place(cfg, root))
    layers.add("--set", lambda cfg: override(cfg, late, also=["tricks"] if task.trains_backbone else []))
    task.check(layers.cfg)
    check_optimiser(layers.cfg.optim_wrapper.optimizer)
    return layers


def connected(run: "Run", card: Any) -> Layers:
    """The experiment with the backbone or teacher that an earlier run made."""
    layers = run.layers.copy()
    if card:
        layers.add("card", lambda cfg: run.task.connect(cfg, card))
    return layers


def on_machine(run: "Run", layers: Layers, batch: Batch) -> Layers:
    """All that a Runner reads: the batch spread over devices, hooks, tracker, launcher."""
    complete = layers.copy()
    complete.add("machine", lambda cfg: equip(run, cfg, batch))
    return complete


def equip(run: "Run", cfg: Config, batch: Batch) -> None:
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


def show(run: "Run", devices: int = 1, accumulation: int = 1) -> None:
    """Print `key = value  # source` for every value that a Runner would read."""
    layers = run.connected() if run.card.is_file() else run.layers
    for key, value, source in on_machine(run, layers, run.batch(devices, accumulation)).lines():
        print(f"{key} = {value!r}  # {source}")


def plain(cfg: Config) -> dict:
    """A Config as JSON data, without the places where files lie: the same on every machine."""

    def clean(node: Any) -> Any:
        if isinstance(node, dict):
            return {str(key): clean(value) for key, value in node.items() if key not in PLACES}
        return [clean(each) for each in node] if isinstance(node, list | tuple) else node

    return clean(cfg.to_dict())


def values(node: Any) -> Any:
    """Plain data without the names of our own classes: renaming one is no other protocol."""
    if isinstance(node, dict):
        ours = str(node.get("type")).startswith(OURS)
        return {key: values(value) for key, value in node.items() if not (ours and key == "type")}
    return [values(each) for each in node] if isinstance(node, list) else node
