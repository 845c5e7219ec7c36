"""What a run's numbers depend on beside its Config: how its batch is spread, and what low precision means."""

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from trick_transfer.engine.batch import Batch
from trick_transfer.engine.precision import low_precision
from trick_transfer.engine.stage import Stage

MACHINE = "machine"  # where config.json has them, beside the Config's own keys


def conditions(task: Stage, precision: str | None, cfg: Config, batch: Batch) -> dict[str, Any]:
    """By the names of a Result's fields. `norm_parts`: into how many parts batch norm sees a batch."""
    spread = {key: value for key, value in batch._asdict().items() if key != "total"}
    synchronised = cfg.get("sync_bn") and torch.cuda.is_available()
    parts = batch.accumulation * (1 if synchronised else batch.devices)
    low = str(low_precision(precision)).removeprefix("torch.")
    return spread | dict(norm_parts=1 if task.frozen_norms else parts, low_precision=low)


def check_same(folder: Path, begun: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise ValueError where a checkpoint's run had another precision, or other batches in batch norm.

    Devices and accumulated steps may change where batch norm sees the same images together.
    """
    for key in ("norm_parts", "low_precision"):
        if key in begun and begun[key] != now[key]:
            raise ValueError(
                f"{folder} was begun with {key} {begun[key]}, this command has {now[key]}, which would be another "
                f"experiment; go on with --gpus {begun['devices']} --accumulate {begun['accumulation']} and its "
                f"precision, or start again with --no-resume"
            )
