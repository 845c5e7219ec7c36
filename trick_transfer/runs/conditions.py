"""What a run's numbers depend on beside its Config: how its batch is spread and its steps are computed."""

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from classification.norms import norm_parts
from trick_transfer.engine.batch import Batch
from trick_transfer.engine.precision import PRECISIONS, low_precision
from trick_transfer.engine.stage import Stage

MACHINE = "machine"  # where config.json has them, beside the Config's own keys
UNSTATED = {"compiled": False}  # by earlier runs


def conditions(task: Stage, precision: str | None, cfg: Config, batch: Batch, compiled: bool = False) -> dict[str, Any]:
    """By the names of a Result's fields. `norm_parts`: into how many parts batch norm sees a batch."""
    spread = {key: value for key, value in batch._asdict().items() if key != "total"}
    synchronised = cfg.get("sync_bn") and torch.cuda.is_available()
    parts = batch.accumulation * (1 if synchronised else batch.devices)
    parts = max(parts, norm_parts(cfg.model.get("norm_parts", 1), batch.total))
    low = named(low_precision(precision))
    return spread | dict(norm_parts=1 if task.frozen_norms(cfg) else parts, low_precision=low, compiled=compiled)


def named(dtype: torch.dtype) -> str:
    """A precision as results have it: bfloat16."""
    return str(dtype).removeprefix("torch.")


def asked_otherwise(precision: str | None, compiled: bool, begun: dict[str, Any], low_precision: bool) -> list[str]:
    """The options that ask for what a finished run was not made with; `low_precision`: whether it uses one."""
    other = low_precision and precision and begun.get("low_precision") not in (None, named(PRECISIONS[precision]))
    return ["--precision"] * bool(other) + ["--compile"] * (compiled and not begun.get("compiled"))


def check_same(folder: Path, begun: dict[str, Any], now: dict[str, Any], low_precision: bool) -> None:
    """Raise ValueError where a checkpoint's run had other batches in batch norm, was compiled or not, or, with
    `low_precision`, had another one.

    Devices and accumulated steps may change where batch norm sees the same images together.
    """
    precisions = {named(dtype): option for option, dtype in PRECISIONS.items()}
    words = {"norm_parts": lambda parts: f"batch norm over 1/{parts} of a batch"}
    words |= {"low_precision": lambda name: f"precision {precisions[name]}"} if low_precision else {}
    words |= {"compiled": lambda compiled: f"{'' if compiled else 'no '}--compile"}
    begun = begun and UNSTATED | begun
    for key, say in words.items():
        if begun and begun[key] != now[key]:
            raise ValueError(
                f"{folder} was begun with {say(begun[key])}, this command has {say(now[key])}; go on with "
                f"{begun['devices']} processes, --accumulate {begun['accumulation']} and --precision "
                f"{precisions[begun['low_precision']]}{' --compile' * begun['compiled']}, "
                "or start again with --no-resume"
            )
