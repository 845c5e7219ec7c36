"""What a trained stage leaves behind: weights, what later stages need, and last of all its result with the receipt."""

import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from backbones.card import read_card
from trick_transfer.engine.batch import Batch
from trick_transfer.engine.checkpoint import LATEST
from trick_transfer.engine.files import file_sha256, in_turn, write_tensors, write_whole
from trick_transfer.engine.manifest import manifest_digest
from trick_transfer.engine.precision import low_precision
from trick_transfer.engine.receipt import commit, device, versions

from .identity import fingerprint, plain
from .result import FILE_NAME, OUTPUTS, Result, write
from .run import MODEL, Run


def record(run: Run, cfg: Config, model: Any, batch: Batch, metrics: dict, facts: dict) -> Result:
    """Keep the weights, export a classifier, and write the result last: it exists means the stage is done."""
    write_tensors(run.folder / MODEL, model.cpu().state_dict())
    about = dict(name=run.name, tier=run.tier_file.name, seed=run.seed, licence=data_licence(run))
    unmeasured = dict.fromkeys(("params_m", "gmacs", "arrived_percent", "feature_error"))
    facts = unmeasured | facts | run.task.leave(model, cfg, run.card.parent, metrics, **about)
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


def data_licence(run: Run) -> str:
    """Of the data it reads; of data that only the user knows, "unknown"."""
    own = run.data_root and not (run.data_set and run.data_set.archives)
    return run.data_set.licence if run.data_set and not own else "unknown"


def receipt(run: Run, cfg: Config, batch: Batch) -> dict[str, Any]:
    """What a result was made from and with."""
    code, dirty = commit()
    config = plain(cfg)
    low = "LowPrecision" in cfg.optim_wrapper.type
    own_data = {} if run.task.trains_backbone else {f"{run.stage} data": data_licence(run)}
    return dict(
        tier=run.tier_file.name,
        recipe=run.name,
        stage=run.stage,
        protocol=run.protocol or run.task.protocol_name(cfg),
        protocol_version=cfg.version,
        protocol_hash=run.protocol_hash(),
        seed=run.seed,
        backbone_seed=run.upstream_seed,
        outputs_sha256=file_sha256(run.folder / OUTPUTS),
        data_manifest=manifest_digest(run.root),
        licences=read_card(run.card).licences | own_data,
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
        remarks=[],
    )
