"""Train, score and record one stage of one recipe; the only place that makes a Runner."""

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from math import ceil
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.dist import barrier, init_dist, is_main_process
from mmengine.optim.scheduler.param_scheduler import INF
from mmengine.runner import Runner

from backbones.card import read_card
from trick_transfer.engine import held_out
from trick_transfer.engine.batch import Batch, too_few
from trick_transfer.engine.checkpoint import LATEST, SAFELY, unwrapped
from trick_transfer.engine.claim import alone
from trick_transfer.engine.convolution import laid_out
from trick_transfer.engine.files import file_sha256, in_turn, write_tensors, write_whole
from trick_transfer.engine.held_out import BEST, HELD_OUT
from trick_transfer.engine.history import Diverged, curves, seconds
from trick_transfer.engine.layers import Layers
from trick_transfer.engine.manifest import manifest_digest
from trick_transfer.engine.memory import keep_freed_memory
from trick_transfer.engine.optimiser import ENDLESS
from trick_transfer.engine.processes import backend
from trick_transfer.engine.receipt import build, commit, device, versions
from trick_transfer.engine.weights import load, load_strictly, weights_in

from .compiling import check_compiler
from .conditions import MACHINE, check_same, conditions
from .data import check_data, licence
from .identity import fingerprint, plain
from .longer import STATE, go_on
from .resolve import check_tracker, resolve, uses_low_precision
from .result import DIVERGED, FILE_NAME, OUTPUTS, UNSCORED, Result, read, write
from .run import LOG, MODEL, SETTINGS, Run
from .state import begun, check_same_data, state
from .sweep import is_trial, told

LOST = "by peer|Broken pipe|remote process exited"  # gloo's and NCCL's words
WAIT_SECONDS = 2.0


@contextmanager
def processes() -> Iterator[int]:
    """Join the process group, if torchrun or srun started one; yields the number of processes."""
    if "RANK" not in os.environ:
        yield 1
        return
    os.environ.setdefault("MKL_NUM_THREADS", "1")  # as mmengine does, with a warning
    if torch.cuda.is_available():  # mmengine's set-up needs it, and takes LOCAL_RANK for the GPU's number
        os.environ["LOCAL_RANK"] = str(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())  # srun may show one
        init_dist("pytorch", backend=backend())
    else:
        dist.init_process_group(backend())
    try:
        yield dist.get_world_size()
        dist.barrier()  # a process that ends early would break the connections of the others
    except RuntimeError as error:
        if not re.search(LOST, str(error)):
            raise
        time.sleep(WAIT_SECONDS)  # the failing process prints its error, and torchrun ends this one
        raise ConnectionError(f"another process of this run is gone: {error}") from error
    finally:
        dist.destroy_process_group()  # its threads must not outlive the interpreter: that aborts


def is_first_here() -> bool:
    """Whether this process is the first one on its machine; to be asked before `processes`."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def make_runner(complete_cfg: Config) -> Runner:
    """The one place that makes a Runner; the Config is `resolve.resolve`'s."""
    runner = Runner.from_cfg(complete_cfg)
    laid_out(unwrapped(runner))
    return runner


def begin(run: Run, layers: Layers, batch: Batch, resume: bool) -> None:
    """Rename the folder of another config, delete one that `--no-resume` refuses, then record this config.

    Raises ValueError for a checkpoint that this command cannot carry on.
    """
    cfg = layers.cfg
    _, changes = state(run, cfg)
    if changes:  # it may have taken days: keep it
        kept = run.folder.with_name(f"{run.folder.name}.{time.strftime('%Y%m%d_%H%M%S')}")
        run.folder.rename(kept)
        if (kept / LOG).is_file():  # it is of this run, too, and still being written
            run.folder.mkdir()
            (kept / LOG).rename(run.folder / LOG)
        print(f"{run.folder}: changed in {', '.join(changes[:6])}; the old folder is now {kept}", file=sys.stderr)
    elif not resume:
        shutil.rmtree(run.folder, ignore_errors=True)
    latest = run.folder / LATEST
    if latest.is_file() and not is_zipfile(latest):
        raise ValueError(f"{latest} is not a whole checkpoint; delete it, and the stage starts from the beginning")
    receipt, now = run.folder / "config.json", conditions(run.task, run.precision, cfg, batch, run.compiled)
    if latest.is_file():
        check_same(run.folder, begun(run).get(MACHINE, {}), now, uses_low_precision(cfg))
    now["data_manifest"] = manifest_digest(run.root) if run.root.is_dir() else UNSCORED
    if resume and not latest.is_file():
        go_on(run, layers, batch, now)
    text = json.dumps({MACHINE: now} | plain(cfg), indent=1) + "\n"
    write_whole(receipt, lambda part: part.write_text(text))
    if run.own and run.task.trains_backbone:
        settings = json.dumps(run.own, indent=1) + "\n"
        write_whole(run.home(run.name) / SETTINGS, lambda part: part.write_text(settings, "utf-8"))


def train(run: Run, accumulation: int = 1, resume: bool = True) -> Result | None:
    """Train, score, export and write the result; returns it (None in the helping processes)."""
    keep_freed_memory()
    check_tracker(run.tracker)
    check_compiler(run.compiled)
    commit()  # the one that runs
    first_here = is_first_here()
    with processes() as devices:
        layers = run.final()
        run.check_teacher()
        if first_here:
            check_data(run)
        barrier()  # the manifest is written
        check_same_data(run)
        if resume and state(run, layers.cfg)[0] == "done":
            print(f"{run.folder}: done already; --no-resume trains it again", file=sys.stderr)
            return read(run.folder / FILE_NAME)
        batch = run.batch(devices, accumulation)
        barrier()  # each has seen the folder as it was
        with alone(run.folder) if is_main_process() else nullcontext():
            if is_main_process():
                begin(run, layers, batch, resume)
                print(f"{run.title}: {batch}", file=sys.stderr)
            barrier()
            return fit(run, layers, batch)


def fit(run: Run, layers: Layers, batch: Batch) -> Result | None:
    """Train from the last checkpoint, if there is one, then score and record."""
    latest = run.folder / LATEST
    cfg = resolve(run, layers, batch).cfg
    scoring = "test" if HELD_OUT in cfg else "val"  # else validation is of the held-out images
    if evaluator := cfg[f"{scoring}_evaluator"]:
        evaluator.outputs = str(run.folder / OUTPUTS)
    if latest.is_file():
        cfg.load_from, cfg.resume = f"{SAFELY}{latest}", True
    runner = make_runner(cfg)
    facts: dict[str, Any] = {} if run.task.trains_backbone else run.task.arrived(unwrapped(runner), read_card(run.card))
    chosen = told(run)
    if cfg.train_cfg.max_epochs:  # 0: the recipe of random weights
        chosen |= to_the_end(run, cfg, runner, batch.accumulation)
    evaluator = {} if DIVERGED in chosen else evaluator
    started = time.time()
    metrics = getattr(runner, scoring)() if evaluator else {"samples_scored": 0}  # given weights, and no head that fits
    runner.visualizer.close()
    facts |= dict(steps=ceil(runner.iter / batch.accumulation), seconds=seconds(runner) + time.time() - started)
    facts |= dict(chosen=chosen, curves=curves(runner), samples_scored=int(metrics.pop("samples_scored")))
    if HELD_OUT in cfg and evaluator:  # then validation gave no curve of these
        facts["curves"] |= {name: [[chosen["epoch"], value]] for name, value in metrics.items()}
    if not is_main_process():
        return None
    if evaluator:
        data = getattr(runner, f"{scoring}_dataloader").dataset
        check_all_scored(layers.cfg, facts["samples_scored"], getattr(data, "scored", len(data)))
    return record(run, layers.cfg, unwrapped(runner), batch, metrics, facts)


def to_the_end(run: Run, cfg: Config, runner: Runner, accumulation: int) -> dict[str, Any]:
    """Train; returns which epoch counts, where images are held out. Of a trial that diverges: why, and no epoch."""
    count_updates(runner, accumulation)
    try:
        runner.train()
    except Diverged as error:
        if not is_trial(run.layers.cfg):
            raise
        if is_main_process():
            print(f"{run.title}: {error}; this trial counts as the worst", file=sys.stderr)
        return {"by": cfg.held_out.by, DIVERGED: str(error)}
    return choose(run, cfg, runner) if HELD_OUT in cfg else {}


def choose(run: Run, cfg: Config, runner: Runner) -> dict[str, Any]:
    """Take the weights of the epoch that the held-out images choose; returns which it is, and by what."""
    found = held_out.chosen(cfg, run.task, runner)
    if found["epoch"] < runner.epoch:
        best, model = run.folder / BEST, unwrapped(runner)
        barrier()  # it is written
        load_strictly(model, weights_in(load(best), best, model.state_dict()), best)
    if is_main_process():
        score = f"{found['by']} {found['score']:.2f} on {found['images']} held-out images"
        print(f"{run.title}: {found['rule']} epoch {found['epoch']} of {found['of_epochs']}: {score}", file=sys.stderr)
    return found


def count_updates(runner: Runner, accumulation: int) -> None:
    """Give a schedule over epochs that moves with each update an epoch's length in updates, not in parts of batches.

    One that needs no end gets none: by mmengine's, the training's own, a milestone there would be lost to a longer run.
    """
    loader = runner.train_loop.dataloader
    steps = len(loader)
    if not steps:
        raise ValueError(too_few(len(loader.dataset), loader.batch_size))
    updates = max(1, round(steps / accumulation))
    for schedule in runner.param_schedulers:
        if schedule.get("convert_to_iter_based"):
            schedule["epoch_length"] = updates
        if schedule["type"] in ENDLESS:
            schedule.setdefault("end", INF)


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
    for name in (LATEST, *([BEST] if trial else [])):  # half a gigabyte that nothing needs any more
        (run.folder / name).unlink(missing_ok=True)
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
    found |= dict(data_manifest=begun(run)[MACHINE]["data_manifest"])
    makes_weights = run.task.trains_backbone and not run.carries_weights
    own_data = {} if makes_weights else {f"{run.stage} data": of_data}
    found |= dict(licences=read_card(run.card).licences | own_data)
    found |= conditions(run.task, run.precision, cfg, batch, run.compiled) | dict(
        global_batch=batch.total, lr=cfg.optim_wrapper.optimizer.lr
    )
    found["precision"] = found["low_precision"] if uses_low_precision(cfg) else "float32"
    found |= dict(device=device(), build=build(), versions=versions())
    found["commit"], found["dirty"] = commit()
    return found | dict(command=f"tools/train.py {' '.join(sys.argv[1:])}", remarks=[])


def keep(result: Result, outputs: Path, folder: Path) -> None:
    """A result and its outputs, which stay together even if two runs of one name, in two work folders, end at once."""
    with in_turn(folder):
        if result.samples_scored:
            write_whole(folder / OUTPUTS, lambda part: shutil.copyfile(outputs, part))
        write(result, folder / FILE_NAME)
