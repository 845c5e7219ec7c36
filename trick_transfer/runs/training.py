"""Train and score one stage of one recipe; the only place that makes a Runner."""

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from uuid import uuid4
from zipfile import is_zipfile

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.dist import init_dist, is_main_process
from mmengine.runner import Runner

from classification.config import finish
from trick_transfer.engine.batch import Batch
from trick_transfer.engine.checkpoint import LATEST
from trick_transfer.engine.files import alone, write_whole
from trick_transfer.engine.history import curves, seconds
from trick_transfer.engine.memory import keep_freed_memory
from trick_transfer.engine.optimiser import FUSED
from trick_transfer.engine.receipt import commit
from trick_transfer.runs.record import record, transfer_facts
from trick_transfer.runs.result import FILE_NAME, OUTPUTS, Result, read
from trick_transfer.runs.run import Run, plain
from trick_transfer.runs.tracking import backends, check_tracker

LOST = "by peer|Broken pipe|remote process exited"  # gloo's and NCCL's words
WAIT_SECONDS = 2.0


@contextmanager
def processes() -> Iterator[int]:
    """The number of processes, which know of each other within; mmengine's set-up wants CUDA."""
    if "RANK" not in os.environ:
        yield 1
        return
    os.environ.setdefault("MKL_NUM_THREADS", "1")  # as mmengine does, with a warning
    if torch.cuda.is_available():
        init_dist("pytorch")
    else:
        dist.init_process_group("gloo")
    try:
        yield dist.get_world_size()
        dist.barrier()  # a helper that left earlier would take the others' connections with it
    except RuntimeError as error:
        if not re.search(LOST, str(error)):
            raise
        time.sleep(WAIT_SECONDS)  # the one that failed has the word, and whoever started us ends us
        raise ConnectionError(f"another process of this run is gone: {error}") from error
    finally:
        dist.destroy_process_group()  # its threads must not outlive the interpreter: that aborts


def wait_for_all() -> None:
    """A barrier, where there are several processes."""
    if dist.is_initialized():
        dist.barrier()


def complete(run: Run, cfg: Config, batch: Batch) -> Config:
    """Everything else that a Runner wants."""
    cfg = Config(cfg.to_dict())  # the caller's stays as it is recorded
    if run.stage == "classification":
        finish(cfg, batch)
    else:
        cfg.train_dataloader.batch_size = batch.per_device
        cfg.optim_wrapper.accumulative_counts = batch.accumulation
        for schedule in cfg.param_scheduler:
            if not schedule.by_epoch:  # mmengine steps it with every accumulated part of a batch
                schedule.end *= batch.accumulation
    cfg.optim_wrapper.constructor = "trick_transfer.MergedGroups"
    cfg.optim_wrapper.optimizer.update(FUSED)
    cfg.train_dataloader.dataset.seed = run.seed
    cfg.work_dir = str(run.folder)
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
        cfg.custom_hooks.append(dict(type="trick_transfer.ShowPredictions"))
    if batch.devices > 1:
        cfg.launcher = "pytorch"
        cfg.custom_hooks.append(dict(type="SyncBuffersHook"))  # one model is scored, not one a process
        cfg.model_wrapper_cfg = dict(type="trick_transfer.ChannelsLastParallel", broadcast_buffers=False)
        if not torch.cuda.is_available():
            cfg.model_wrapper_cfg.device_ids = None
            cfg.sync_bn = None  # torch's works on CUDA only; here each process has batch norms of its own
    return cfg


def make_runner(run: Run, cfg: Config, batch: Batch, load_from: str | None = None) -> Runner:
    """The Runner of one stage, at its start or, given a checkpoint of its own, where that was written."""
    complete_cfg = complete(run, cfg, batch)
    complete_cfg.load_from, complete_cfg.resume = load_from, load_from is not None
    return runner_of(complete_cfg)


def runner_of(complete_cfg: Config) -> Runner:
    """The one place that makes it."""
    complete_cfg.experiment_name = uuid4().hex  # mmengine's is the second: runs that share it share log and curves
    runner = Runner.from_cfg(complete_cfg)
    unwrapped(runner).to(memory_format=torch.channels_last)
    return runner


def begin(run: Run, cfg: Config, resume: bool) -> None:
    """Put aside what another config made, throw away what `--no-resume` does not want; record this config."""
    changes = run.changes(cfg)
    if changes:  # it may have taken days
        kept = run.folder.with_name(f"{run.folder.name}.{time.strftime('%Y%m%d_%H%M%S')}")
        run.folder.rename(kept)
        changed = ", ".join(changes[:6])
        print(f"{run.folder}: the config changed in {changed}; starting anew, {kept} is kept", file=sys.stderr)
    elif not resume:
        shutil.rmtree(run.folder, ignore_errors=True)
    latest = run.folder / LATEST
    if latest.is_file() and not is_zipfile(latest):
        raise ValueError(f"{latest} is not a whole checkpoint; delete it, and the stage starts anew")
    text = json.dumps(plain(cfg), indent=1)
    write_whole(run.folder / "config.json", lambda part: part.write_text(text + "\n"))


def unwrapped(runner: Runner) -> Any:
    """The model, out of its data-parallel wrapper."""
    return getattr(runner.model, "module", runner.model)


def train(run: Run, accumulation: int = 1, resume: bool = True) -> Result | None:
    """Train, score, export and write the result; returns it (None in the helping processes)."""
    keep_freed_memory()
    check_tracker(run.tracker)
    commit()  # the one that runs
    with processes() as devices:
        return train_on(run, devices, accumulation, resume)


def train_on(run: Run, devices: int, accumulation: int, resume: bool) -> Result | None:
    """The same, in each of several processes."""
    cfg = run.config()
    run.check_teacher()
    if int(os.environ.get("LOCAL_RANK", 0)) == 0:
        run.check_data()
    if resume and run.state(cfg)[0] == "done":
        print(f"{run.folder}: done already; --no-resume trains it again", file=sys.stderr)
        return read(run.folder / FILE_NAME)
    batch = run.batch(cfg, devices, accumulation)
    wait_for_all()  # each has seen the folder as it was
    with alone(run.folder) if is_main_process() else nullcontext():
        if is_main_process():
            begin(run, cfg, resume)
            print(f"{run.name} {run.stage} ({run.tier}, seed {run.seed}): {batch}", file=sys.stderr)
        wait_for_all()
        return fit(run, cfg, batch)


def fit(run: Run, cfg: Config, batch: Batch) -> Result | None:
    """Train from the last checkpoint, if there is one, then score and record."""
    latest = run.folder / LATEST
    cfg.val_evaluator.outputs = str(run.folder / OUTPUTS)
    runner = make_runner(run, cfg, batch, load_from=str(latest) if latest.is_file() else None)
    facts = transfer_facts(run, unwrapped(runner))
    if cfg.get("max_epochs") != 0:  # 0: the recipe of random weights
        runner.train()
    started = time.time()
    metrics = runner.val()
    runner.visualizer.close()
    facts |= dict(steps=runner.iter // batch.accumulation, seconds=seconds(runner) + time.time() - started)
    facts |= dict(curves=curves(runner), expected=len(runner.val_dataloader.dataset))
    return record(run, cfg, unwrapped(runner), batch, metrics, facts) if is_main_process() else None
