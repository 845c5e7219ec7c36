"""What a trained stage leaves behind: weights, the exported card, and last of all its result with the receipt."""

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from backbones.base import Backbone
from backbones.card import arrived_percent, read_card
from backbones.complexity import gmacs, params_m
from classification.classifier import ImageClassifier
from classification.data import ImageFolder
from classification.exported import export
from trick_transfer import mini
from trick_transfer.engine.batch import Batch
from trick_transfer.engine.checkpoint import LATEST
from trick_transfer.engine.files import file_sha256, in_turn, write_tensors, write_whole
from trick_transfer.engine.manifest import manifest_digest
from trick_transfer.engine.precision import low_precision
from trick_transfer.engine.receipt import commit, device, versions
from trick_transfer.runs.result import FILE_NAME, OUTPUTS, Result, fingerprint, write
from trick_transfer.runs.run import MODEL, Run, plain
from trick_transfer.stages import STAGES

DATA_LICENCES = {
    "detection": "Flickr's terms of use (PASCAL VOC's database rights)",
    "segmentation": "research and education only (ADE20K's terms of use)",
}
SWAPPED = "swapped"  # a split that `mini` has, and no other data


def transfer_facts(run: Run, model: nn.Module) -> dict[str, Any]:
    """How much of the card stands in the new model, before it is trained; None where nothing is transferred."""
    if run.stage == "classification":
        return dict(arrived_percent=None, feature_error=None)
    card = read_card(run.card)
    parts = (module for module in model.modules() if isinstance(module, Backbone))
    return dict(arrived_percent=arrived_percent(card, *parts), feature_error=card.feature_error)


def record(run: Run, cfg: Config, model: Any, batch: Batch, metrics: dict, facts: dict) -> Result:
    """Keep the weights, export a classifier, and write the result last: it exists means the stage is done."""
    write_tensors(run.folder / MODEL, model.cpu().state_dict())
    facts |= dict(samples_scored=all_scored(cfg, int(metrics.pop("samples_scored")), facts.pop("expected")))
    facts |= dict(params_m=None, gmacs=None)
    if run.stage == "classification":
        card = export(model, cfg, run.card.parent, metrics, name=run.name, tier=run.tier, seed=run.seed)
        px = cfg.val_dataloader.dataset.crop.size_px
        facts |= dict(params_m=params_m(model), gmacs=gmacs(model, px), feature_error=card.feature_error)
        if Path(cfg.data.root, SWAPPED).is_dir():
            metrics |= swapped_coats(model, cfg)
    result = Result(metrics=metrics, **facts, **receipt(run, cfg, batch))
    keep(result, run.folder / OUTPUTS, run.results_root / result.folder)
    write(result, run.folder / FILE_NAME)  # here it says that all is written
    (run.folder / LATEST).unlink(missing_ok=True)  # half a gigabyte that nothing needs any more
    return result


def keep(result: Result, outputs: Path, folder: Path) -> None:
    """A result and its outputs, which stay together even if two runs of one name, in two work folders, end at once."""
    with in_turn(folder):
        write_whole(folder / OUTPUTS, lambda part: shutil.copyfile(outputs, part))
        write(result, folder / FILE_NAME)


def all_scored(cfg: Config, scored: int, expected: int) -> int:
    """The number of samples. Raises ValueError unless it is the data set's, where neither limits nor skips were set."""
    loader = cfg.val_dataloader
    if not loader.get("num_batch_per_epoch") and not loader.dataset.skip_broken and scored != expected:
        raise ValueError(f"{scored} samples were scored, the data set has {expected}")
    return scored


def licences(run: Run) -> dict[str, str]:
    """Of code, weights and data: those of the card, and downstream those of the task's own data."""
    found = read_card(run.card).licences
    if run.tier != "paper" or run.stage == "classification":
        return found
    return found | {f"{run.stage} data": DATA_LICENCES[run.stage]}


@torch.inference_mode()
def swapped_coats(model: ImageClassifier, cfg: Config) -> dict[str, float]:
    """What the classifier follows where an animal of `mini` wears another kind's coat: shape or coat, in percent."""
    options = {key: value for key, value in cfg.val_dataloader.dataset.items() if key != "type"}
    data = ImageFolder(**options | dict(split=SWAPPED, root=cfg.data.root, num_classes=cfg.model.num_classes))
    images = torch.from_numpy(np.stack([data[i]["inputs"] for i in range(len(data))]))
    scaled = model.data_preprocessor.normalise(images, training=False)
    said = torch.cat([model(chunk).argmax(1) for chunk in scaled.split(64)])
    return mini.follows(data.files, [data.classes[i] for i in said])


def receipt(run: Run, cfg: Config, batch: Batch) -> dict[str, Any]:
    """What a result was made from and with."""
    code, dirty = commit()
    config = plain(cfg)
    low = "LowPrecision" in cfg.optim_wrapper.type
    return dict(
        tier=run.tier,
        recipe=run.name,
        stage=run.stage,
        protocol=run.protocol or next(iter(STAGES[run.stage].protocols), None) or cfg.data.name,
        protocol_hash=run.protocol_hash(),
        seed=run.seed,
        backbone_seed=run.upstream_seed,
        outputs_sha256=file_sha256(run.folder / OUTPUTS),
        data_manifest=manifest_digest(run.root),
        licences=licences(run),
        global_batch=batch.total,
        lr=cfg.optim_wrapper.optimizer.lr,
        precision=str(low_precision() if low else torch.float32).removeprefix("torch."),
        device=device(),
        devices=batch.devices,
        commit=code,
        dirty=dirty,
        versions=versions(),
        command=f"tools/train.py {' '.join(sys.argv[1:])}",
        config=config,
        config_hash=fingerprint(config),
    )
