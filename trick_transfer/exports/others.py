"""Weights of others, of which a checkpoint tells nothing but names and shapes: whose they are, and how they are fed."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from backbones.given.source import feeding
from classification.given import FEEDS
from trick_transfer.engine.files import file_sha256

OF_CHECKPOINT = {  # options that tell of them, and what is so where these are silent
    **dict.fromkeys(("timm", "part", "allow_missing", *FEEDS)),
    **dict(channel_order="rgb", interpolation="bilinear", licence="unknown"),
}


def say_whose(cfg: Config, checkpoint: Path, options: Mapping[str, Any]) -> None:
    """Let a Config say where a checkpoint's weights are from, and how they are fed. Raises as `feeding` does."""
    scaler = cfg.model.data_preprocessor
    stated = {key: options[key] for key in FEEDS if options[key]}
    scaler.mean, scaler.std = feeding(str(checkpoint), *((scaler | stated)[key] for key in FEEDS))
    scaler.bgr = options["channel_order"] == "bgr"
    said = {key: options[key] or default for key, default in OF_CHECKPOINT.items() if default}
    sha256 = file_sha256(checkpoint) if checkpoint.is_file() else ""  # who reads it says that it is not there
    cfg.model.given = said | dict(source=checkpoint.name, sha256=sha256)
    cfg.max_epochs = 0  # by the recipe it was not trained
    if len(stated) < len(FEEDS):
        parts = " and ".join(f"{key} {list(scaler[key])}" for key in FEEDS)
        print(f"the card states {parts} (RGB, 0..255), the recipe's; for others: --mean --std", file=sys.stderr)
