"""Write what a run leaves: weights, what later stages need, its outputs, and last its result with the receipt."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from mmengine.config import Config

from backbones.card import read_card
from trick_transfer.engine.batch import Batch
from trick_transfer.engine.checkpoint import LATEST
from trick_transfer.engine.files import file_sha256, in_turn, write_tensors, write_whole
from trick_transfer.engine.held_out import BEST, HELD_OUT
from trick_transfer.engine.receipt import build, commit, device, versions

from .conditions import conditions
from .data import licence
from .identity import fingerprint, plain
from .longer import STATE
from .places import MODEL
from .resolve import uses_low_precision
from .result import FILE_NAME, OUTPUTS, UNSCORED, Result, write
from .run import Run
from .state import begun


def check_all_scored(cfg: Config, scored: int, expected: int) -> None:
    """Raise ValueError unless the whole data set was scored, where neither limits nor skips were set."""
    loader = cfg.val_dataloader
    if not loader.get("num_batch_per_epoch") and not loader.dataset.get("skip_broken") and scored != expected:
        raise ValueError(f"{scored} samples were scored, the data set has {expected}")


def record(run: Run, cfg: Config, model: Any, batch: Batch, metrics: dict, facts: dict) -> Result:
    """Keep the weights, export a classifier, and write the result with its receipt last: then all is written.

    Of a trial nothing is kept but its result, in the run's folder: it has no row.
    """
    trial = HELD_OUT in cfg and not cfg.held_out.test
    if not trial:
        write_tensors(run.folder / MODEL, model.cpu().state_dict())
    of_data = licence(run)  # lists the data's files
    about = dict(name=run.name, tier=run.tier_file.name, seed=run.seed, licence=of_data)
    unmeasured = dict.fromkeys(("params_m", "gmacs", "arrived_percent", "feature_error", "branches"))
    facts = unmeasured | facts | run.task.leave(model, cfg, run.card.parent, metrics, **about)
    result = Result(metrics=metrics, **facts, **receipt(run, cfg, batch, of_data))
    if not trial:
        keep(result, run.folder / OUTPUTS, run.results_root / result.folder)
    write(result, run.folder / FILE_NAME)
    if run.keep_state and (run.folder / LATEST).is_file():
        (run.folder / LATEST).replace(run.folder / STATE)
    best = run.folder.glob(BEST.format("*")) if trial else ()
    for path in (run.folder / LATEST, *best):  # half a gigabyte that nothing needs any more
        path.unlink(missing_ok=True)
    return result


def receipt(run: Run, cfg: Config, batch: Batch, of_data: str) -> dict[str, Any]:
    """What a result was made from and with, by the names of a Result's fields; `of_data` is the data's licence."""
    found: dict[str, Any] = dict(tier=run.tier_file.name, recipe=run.name, stage=run.stage)
    found |= dict(seed=run.seed, backbone_seed=run.upstream_seed, settings=run.settings)
    protocol = run.task.data_name(cfg) if run.task.trains_backbone else run.recipe_or_protocol
    found |= dict(protocol=protocol, protocol_version=cfg.version)
    found |= dict(protocol_hash=run.protocol_hash(), config=plain(cfg), config_hash=fingerprint(plain(cfg)))
    outputs = run.folder / OUTPUTS
    found |= dict(outputs_sha256=file_sha256(outputs) if outputs.is_file() else UNSCORED)
    found |= dict(data_manifest=begun(run.folder)[1]["data_manifest"])
    makes_weights = run.task.trains_backbone and cfg.max_epochs
    own_data = {} if makes_weights else {f"{run.stage} data": of_data}
    found |= dict(licences=read_card(run.card).licences | own_data)
    found |= conditions(run.task, run.precision, cfg, batch, run.compiled) | dict(
        global_batch=batch.total, lr=cfg.optim_wrapper.optimizer.lr
    )
    found["precision"] = found["low_precision"] if uses_low_precision(cfg) else "float32"
    found |= dict(device=device(), build=build(), versions=versions())
    found["commit"], found["dirty"] = commit()
    return found | dict(command=shlex.join(["tools/train.py", *sys.argv[1:]]), remarks=[])


def keep(result: Result, outputs: Path, folder: Path) -> None:
    """A result and its outputs, which stay together even if two runs of one name, in two work folders, end at once."""
    with in_turn(folder):
        if result.samples_scored:
            write_whole(folder / OUTPUTS, lambda part: shutil.copyfile(outputs, part))
        write(result, folder / FILE_NAME)
