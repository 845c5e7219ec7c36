"""Predicted masks on a few images of ADE20K's validation set, for the page."""

from pathlib import Path

import numpy as np
from PIL import Image

from trick_transfer.engine.pictures import Seen, png, spread

ADE20K = Path("ADEChallengeData2016")


def seen(outputs: Path, data_root: Path) -> Seen:
    """Predicted masks and the truth's as PNG, transparent where the truth names no class."""
    with np.load(outputs) as arrays:
        shown = spread(len(arrays["shown_names"]))
        names, classes = arrays["shown_names"][shown].tolist(), arrays["classes"].tolist()
        found = [png(arrays[f"shown_{place}"]) for place in shown]
    truth = []
    for name in names:
        with Image.open(data_root / ADE20K / f"annotations/validation/{name}.png") as mask:
            truth.append(png(np.asarray(mask) - np.uint8(1)))  # 0, no class, becomes IGNORED
    return Seen(names, found, truth, classes, data_root / ADE20K / "images/validation")
