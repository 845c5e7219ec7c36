"""Train, score and record one stage of one recipe; the only place that makes a Runner."""

import json
import shutil
import sys
import time
from contextlib import nullcontext
from math import ceil
from typing import Any
from zipfile import is_zipfile

from mmengine.config import Config
from mmengine.dist import barrier, broadcast_object_list, is_main_process
from mmengine.optim.scheduler.param_scheduler import INF
from mmengine.runner import Runner

from backbones.card import read_card
from trick_transfer.engine import held_out
from trick_transfer.engine.batch import Batch, too_few
from trick_transfer.engine.checkpoint import LATEST, SAFELY, unwrapped
from trick_transfer.engine.claim import alone
from trick_transfer.engine.convolution import laid_out
from trick_transfer.engine.files import write_whole
from trick_transfer.engine.held_out import BEST, HELD_OUT
from trick_transfer.engine.history import Diverged, curves, seconds
from trick_transfer.engine.layers import Layers
from trick_transfer.engine.manifest import manifest_digest
from trick_transfer.engine.memory import keep_freed_memory
from trick_transfer.engine.optimiser import ENDLESS
from trick_transfer.engine.receipt import commit
from trick_transfer.engine.weights import load, load_strictly, weights_in

from .compiling import check_compiler
from .conditions import MACHINE, check_same, conditions
from .data import check_data
from .group import is_first_here, processes
from .identity import plain
from .longer import go_on
from .places import LOG, SETTINGS
from .recording import check_all_scored, record
from .resolve import check_tracker, resolve, uses_low_precision
from .result import DIVERGED, FILE_NAME, OUTPUTS, UNSCORED, Result, read
from .run import Run
from .state import begun, check_same_data, state
from .sweep import is_trial, told


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
        check_same(run.folder, begun(run.folder)[1], now, uses_low_precision(cfg))
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
        if result := finished(run, layers, resume):
            return result
        batch = run.batch(devices, accumulation)
        barrier()  # each has seen the folder as it was
        with alone(run.folder) if is_main_process() else nullcontext():
            if result := finished(run, layers, resume):  # by another driver, meanwhile
                return result
            if is_main_process():
                begin(run, layers, batch, resume)
                print(f"{run.title}: {batch}", file=sys.stderr)
            barrier()
            return fit(run, layers, batch)


def finished(run: Run, layers: Layers, resume: bool) -> Result | None:
    """The result of a run that is done, as the first process finds it, for all of them; None to train."""
    found: list[Result | None] = [None]
    if resume and is_main_process() and state(run, layers.cfg)[0] == "done":
        print(f"{run.folder}: done already; --no-resume trains it again", file=sys.stderr)
        found = [read(run.folder / FILE_NAME)]
    broadcast_object_list(found)
    return found[0]


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
        best, model = run.folder / BEST.format(found["epoch"]), unwrapped(runner)
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
