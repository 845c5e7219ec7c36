"""Train and score one stage of one recipe; the only place that makes a Runner."""

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.dist import barrier, init_dist, is_main_process
from mmengine.runner import Runner

from backbones.card import read_card
from trick_transfer.engine.batch import Batch
from trick_transfer.engine.checkpoint import LATEST, load_strictly, read_weights
from trick_transfer.engine.files import alone, write_whole
from trick_transfer.engine.history import curves, seconds
from trick_transfer.engine.layers import Layers
from trick_transfer.engine.memory import keep_freed_memory
from trick_transfer.engine.receipt import commit

from .identity import plain
from .record import record
from .resolve import check_tracker, resolve
from .result import FILE_NAME, OUTPUTS, Result, read
from .run import Run

LOST = "by peer|Broken pipe|remote process exited"  # gloo's and NCCL's words
WAIT_SECONDS = 2.0


@contextmanager
def processes() -> Iterator[int]:
    """Join the process group, if torchrun started one; yields the number of processes. mmengine's set-up needs CUDA."""
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
        dist.barrier()  # a process that ends early would break the connections of the others
    except RuntimeError as error:
        if not re.search(LOST, str(error)):
            raise
        time.sleep(WAIT_SECONDS)  # the failing process prints its error, and torchrun ends this one
        raise ConnectionError(f"another process of this run is gone: {error}") from error
    finally:
        dist.destroy_process_group()  # its threads must not outlive the interpreter: that aborts


def make_runner(complete_cfg: Config) -> Runner:
    """The one place that makes a Runner; the Config is `resolve.resolve`'s."""
    runner = Runner.from_cfg(complete_cfg)
    unwrapped(runner).to(memory_format=torch.channels_last)
    return runner


def begin(run: Run, cfg: Config, resume: bool) -> None:
    """Rename the folder of another config, delete one that `--no-resume` refuses, then record this config."""
    if changes := run.changes(cfg):  # it may have taken days: keep it
        kept = run.folder.with_name(f"{run.folder.name}.{time.strftime('%Y%m%d_%H%M%S')}")
        run.folder.rename(kept)
        print(f"{run.folder}: changed in {', '.join(changes[:6])}; the old folder is now {kept}", file=sys.stderr)
    elif not resume:
        shutil.rmtree(run.folder, ignore_errors=True)
    latest = run.folder / LATEST
    if latest.is_file() and not is_zipfile(latest):
        raise ValueError(f"{latest} is not a whole checkpoint; delete it, and the stage starts from the beginning")
    text = json.dumps(plain(cfg), indent=1) + "\n"
    write_whole(run.folder / "config.json", lambda part: part.write_text(text))


def unwrapped(runner: Runner) -> Any:
    """The model, out of its data-parallel wrapper."""
    return getattr(runner.model, "module", runner.model)


def train(run: Run, accumulation: int = 1, resume: bool = True) -> Result | None:
    """Train, score, export and write the result; returns it (None in the helping processes)."""
    keep_freed_memory()
    check_tracker(run.tracker)
    commit()  # the one that runs
    with processes() as devices:
        layers = run.connected()
        run.check_teacher()
        if int(os.environ.get("LOCAL_RANK", 0)) == 0:
            run.check_data()
        if resume and run.state(layers.cfg)[0] == "done":
            print(f"{run.folder}: done already; --no-resume trains it again", file=sys.stderr)
            return read(run.folder / FILE_NAME)
        batch = run.batch(devices, accumulation)
        barrier()  # each has seen the folder as it was
        with alone(run.folder) if is_main_process() else nullcontext():
            if is_main_process():
                begin(run, layers.cfg, resume)
                print(f"{run.title}: {batch}", file=sys.stderr)
            barrier()
            return fit(run, layers, batch)


def fit(run: Run, layers: Layers, batch: Batch) -> Result | None:
    """Train from the last checkpoint, if there is one, then score and record."""
    latest = run.folder / LATEST
    cfg = resolve(run, layers, batch).cfg
    cfg.val_evaluator.outputs = str(run.folder / OUTPUTS)
    if latest.is_file():
        cfg.load_from, cfg.resume = str(latest), True
    runner = make_runner(cfg)
    facts: dict[str, Any] = {} if run.task.trains_backbone else run.task.arrived(unwrapped(runner), read_card(run.card))
    if cfg.train_cfg.max_epochs:  # 0: the recipe of random weights
        runner.train()
    started = time.time()
    metrics = runner.val()
    runner.visualizer.close()
    facts |= dict(steps=runner.iter // batch.accumulation, seconds=seconds(runner) + time.time() - started)
    facts |= dict(curves=curves(runner), samples_scored=int(metrics.pop("samples_scored")))
    if not is_main_process():
        return None
    check_all_scored(layers.cfg, facts["samples_scored"], len(runner.val_dataloader.dataset))
    return record(run, layers.cfg, unwrapped(runner), batch, metrics, facts)


def score(run: Run, checkpoint: Path, outputs: Path | None = None) -> dict[str, float]:
    """A checkpoint's metrics in percent, and samples_scored. Raises ValueError for a checkpoint that does not fit."""
    run.check_data()
    weights = read_weights(checkpoint)
    cfg = resolve(run, run.connected(), run.batch()).cfg
    cfg.model.teacher = None  # it has no part in scoring
    cfg.val_evaluator.outputs = str(outputs) if outputs else None
    runner = make_runner(cfg)
    load_strictly(unwrapped(runner), weights, checkpoint)
    return runner.val()


def check_all_scored(cfg: Config, scored: int, expected: int) -> None:
    """Raise ValueError unless the whole data set was scored, where neither limits nor skips were set."""
    loader = cfg.val_dataloader
    if not loader.get("num_batch_per_epoch") and not loader.dataset.get("skip_broken") and scored != expected:
        raise ValueError(f"{scored} samples were scored, the data set has {expected}")
