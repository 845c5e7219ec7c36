"""The formats of `tools/export.py --to`, and a folder of one of them: files, and a model card for the hub."""

import os
from collections.abc import Callable
from pathlib import Path

from trick_transfer.engine.files import part_of

from . import mm, onnx_file, timm_folder, torchvision_file
from .readme import describe
from .trained import Trained

CARD = "card"  # this package's own: for any mmdet or mmseg config where it is installed
USE_OF_CARD = """\
import json

from mmengine.registry import MODELS

card = json.load(open("FOLDER/card.json"))
backbone = MODELS.build(card["backbone"] | {"weights": "FOLDER/backbone.safetensors"})
"""
# writes into a folder, reads what it wrote, compares; returns how it is used, with FOLDER for the folder
FORMATS: dict[str, Callable[[Trained, Path], str]] = {
    "timm": timm_folder.write,
    "torchvision": torchvision_file.write,
    "mm": mm.write,
    "onnx": onnx_file.write,
}


def convert(trained: Trained, to: str, out: Path, command: str) -> None:
    """Fill a folder, whole or not at all. Raises ValueError of one line for what a format cannot hold."""
    out = out.absolute()
    with part_of(out, folder=True) as part:
        use = FORMATS[to](trained, part)
        for text in part.glob("*.py"):
            text.write_text(text.read_text("utf-8").replace(str(part), str(out)), "utf-8")
        out.mkdir(parents=True, exist_ok=True)
        for file in part.iterdir():
            os.replace(file, out / file.name)
    describe(trained, to, out, use.replace(str(part), "FOLDER"), command)
