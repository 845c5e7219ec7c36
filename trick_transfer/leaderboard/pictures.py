"""What the models of a table saw on the same few images: boxes and masks, small enough to be embedded in the page.

The images are spread evenly over those that have outputs, not chosen. Of a recipe it is the first seed, of a table the
first rows. Outputs are as the stages' `metric.py` write them; the data lie where tools/run.py expects them. Pictures of
VOC and ADE20K keep their own terms: see to those before a page of tier `paper` is published.
"""

import colorsys
import io
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from trick_transfer.engine.files import file_sha256
from trick_transfer.runs.result import OUTPUTS

IMAGES, ROWS = 6, 24
LONGER_SIDE_PX = 320
LEAST_SCORE, MOST_BOXES = 0.3, 10
IGNORED = 255
VOC = Path("voc0712/VOCdevkit/VOC2007/JPEGImages")
ADE20K = Path("ade20k/ADEChallengeData2016")


class Seen(NamedTuple):
    """What a model saw on some images, and what is there."""

    names: list[str]
    found: list[Any]
    truth: list[Any]
    classes: list[str]


def collect(analysis: dict[str, Any], outputs: Path, data: Path) -> list[dict[str, Any]]:
    """For each table {stage: {classes, colours, images, rows}}, without stages that lack stored outputs or data."""
    return [of_table(table, analysis["receipts"], outputs, data) for table in analysis["tables"]]


def of_table(table: dict[str, Any], receipts: dict[str, Any], outputs: Path, data: Path) -> dict[str, Any]:
    """The stages of one table."""
    root = data if table["tier"] == "paper" else data / "mini"
    made = {}
    for stage, (see, folder) in STAGES.items():
        runs = first_runs(table, stage)
        stored = {recipe: outputs / run / OUTPUTS for recipe, run in runs.items()}
        own = {recipe: path for recipe, path in stored.items() if is_own(path, receipts[runs[recipe]])}
        with suppress(FileNotFoundError, KeyError):  # no such picture: the data are not here; or no array of masks
            seen = {recipe: see(path, root, receipts[runs[recipe]]["config"]) for recipe, path in own.items()}
            if seen:
                made[stage] = side_by_side(seen, root / folder)
    return made


def side_by_side(seen: dict[str, Seen], folder: Path) -> dict[str, Any]:
    """The rows that saw the same images as the first, and the images."""
    first = next(iter(seen.values()))
    return {
        "classes": first.classes,
        "colours": [f"#{bytes(rgb(at)).hex()}" for at in range(len(first.classes))],
        "images": [
            photo(folder / f"{name}.jpg") | {"truth": truth}
            for name, truth in zip(first.names, first.truth, strict=True)
        ],
        "rows": {recipe: each.found for recipe, each in seen.items() if each.names == first.names},
    }


def first_runs(table: dict[str, Any], stage: str) -> dict[str, str]:
    """The path of each row's first run of a stage, by recipe."""
    runs: dict[str, str] = {}
    for row in table["rows"]:
        for run in row["runs"]:
            if run["stage"] == stage:
                runs.setdefault(row["recipe"], run["path"])
    return dict(list(runs.items())[:ROWS])


def is_own(path: Path, receipt: dict[str, Any]) -> bool:
    """Whether a file holds the outputs that a receipt tells of."""
    return path.is_file() and file_sha256(path) == receipt["outputs_sha256"]


def boxes(path: Path, root: Path, config: dict[str, Any]) -> Seen:
    """Detections of at least LEAST_SCORE, and the truth: [x1, y1, x2, y2, class, score] in the image's pixels."""
    with np.load(path) as arrays:
        names, counts, gt_counts = (arrays[name] for name in ("image_ids", "counts", "gt_counts"))
        found = np.column_stack([arrays[name] for name in ("boxes", "labels", "scores")])
        truth = np.column_stack([arrays["gt_boxes"], arrays["gt_labels"]])
    shown = spread(len(names))
    return Seen(
        names[shown].tolist(),
        [best(each) for each in split(found, counts, shown)],
        [each.round(1).tolist() for each in split(truth, gt_counts, shown)],
        config["val_dataloader"]["dataset"]["metainfo"]["classes"],
    )


def best(found: np.ndarray) -> list[list[float]]:
    """One image's detections (N, 6) that are worth showing, the best last, so that it lies on top."""
    order = np.argsort(found[:, 5])[-MOST_BOXES:]
    return found[order][found[order, 5] >= LEAST_SCORE].round(2).tolist()


def split(rows: np.ndarray, counts: np.ndarray, shown: list[int]) -> list[np.ndarray]:
    """The rows of some images, of which each has as many as `counts` says."""
    parts = np.split(rows, np.cumsum(counts)[:-1])
    return [parts[at] for at in shown]


def masks(path: Path, root: Path, config: dict[str, Any]) -> Seen:
    """Predicted masks and the truth's as PNG, transparent where the truth names no class."""
    with np.load(path) as arrays:
        shown = spread(len(arrays["shown_names"]))
        names, classes = arrays["shown_names"][shown].tolist(), arrays["classes"].tolist()
        found = [png(arrays[f"shown_{at}"]) for at in shown]
    truth = []
    for name in names:
        with Image.open(root / ADE20K / f"annotations/validation/{name}.png") as mask:
            truth.append(png(np.asarray(mask) - np.uint8(1)))  # 0, no class, becomes IGNORED
    return Seen(names, found, truth, classes)


STAGES = {"detection": (boxes, VOC), "segmentation": (masks, ADE20K / "images/validation")}


def spread(images: int) -> list[int]:
    """Positions of IMAGES images, evenly over all."""
    return np.linspace(0, images - 1, min(IMAGES, images)).round().astype(int).tolist()


def photo(path: Path) -> dict[str, Any]:
    """A picture as a small JPEG, with the size it had."""
    with Image.open(path) as image:
        width, height = image.size
        small = image.convert("RGB")
    small.thumbnail((LONGER_SIDE_PX, LONGER_SIDE_PX))
    return {"name": path.stem, "width": width, "height": height, "source": uri(small, "jpeg", quality=75)}


def png(mask: np.ndarray) -> str:
    """A mask (H, W) uint8 of classes as a small PNG with a palette."""
    image = Image.fromarray(mask)
    image.thumbnail((LONGER_SIDE_PX, LONGER_SIDE_PX), Image.Resampling.NEAREST)
    image.putpalette([part for at in range(IGNORED + 1) for part in rgb(at)])
    return uri(image, "png", optimize=True, transparency=IGNORED)


def uri(image: Image.Image, kind: str, **options: Any) -> str:
    """An image as a data URI."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return f"data:image/{kind};base64,{b64encode(file.getvalue()).decode()}"


def rgb(place: int) -> tuple[int, ...]:
    """A class's colour: neighbours differ by the golden angle of hue, and in lightness."""
    hue, lightness = place * 0.618034 % 1, (0.42, 0.56, 0.7)[place % 3]
    return tuple(round(255 * part) for part in colorsys.hls_to_rgb(hue, lightness, 0.65))
