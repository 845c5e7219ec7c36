"""What the models of a table saw on the same few images: boxes and masks, small enough to be embedded in the page.

The images are spread evenly over those that have outputs, not chosen. Of a recipe it is the first seed, of a table the
first rows. Outputs are as the stages' `metric.py` write them; the data lie where tools/run.py expects them. Pictures of
VOC and ADE20K keep their own terms: see to those before a page of tier `paper` is published.
"""

import colorsys
import io
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

IMAGES, ROWS = 6, 24
LONGER_SIDE_PX = 320
LEAST_SCORE, MOST_BOXES = 0.3, 10
IGNORED = 255
VOC = Path("voc0712/VOCdevkit/VOC2007/JPEGImages")
ADE20K = Path("ade20k/ADEChallengeData2016")

Found = dict[str, Any]


def collect(analysis: dict[str, Any], outputs: Path, data: Path) -> list[dict[str, Found]]:
    """For each table {stage: {classes, images, rows}}; a stage without stored outputs or without data is left out."""
    return [of_table(table, analysis["receipts"], outputs, data) for table in analysis["tables"]]


def of_table(table: dict[str, Any], receipts: dict[str, Any], outputs: Path, data: Path) -> dict[str, Found]:
    """The stages of one table."""
    root = data if table["tier"] == "paper" else data / "mini"
    stages: tuple[tuple[str, Callable], ...] = (("detection", boxes), ("segmentation", masks))
    made = {}
    for stage, draw in stages:
        paths = {
            row["recipe"]: each["path"] for row in table["rows"] for each in row["runs"][::-1] if each["stage"] == stage
        }
        stored = {recipe: outputs / path / "outputs.npz" for recipe, path in paths.items()}
        there = {recipe: path for recipe, path in list(stored.items())[:ROWS] if path.is_file()}
        try:
            made[stage] = draw(there, root, receipts[next(iter(paths.values()))]["config"]) if there else None
        except FileNotFoundError:  # no such picture: the data are not here
            made[stage] = None
    return {stage: found for stage, found in made.items() if found}


def boxes(stored: dict[str, Path], root: Path, config: dict[str, Any]) -> Found:
    """Detections of at least LEAST_SCORE, and the truth: [x1, y1, x2, y2, class, score] in the image's pixels."""
    rows: dict[str, Any] = {}
    images: list[dict[str, Any]] = []
    for recipe, path in stored.items():
        with np.load(path) as arrays:
            names, counts, gt_counts = (arrays[name] for name in ("image_ids", "counts", "gt_counts"))
            shown = spread(len(names))
            found = np.column_stack([arrays[name] for name in ("boxes", "labels", "scores")])
            truth = np.column_stack([arrays["gt_boxes"], arrays["gt_labels"]])
        rows[recipe] = [best(each) for each in split(found, counts, shown)]
        if not images:
            images = [photo(root / VOC / f"{names[at]}.jpg", names[at]) for at in shown]
            for image, some in zip(images, split(truth, gt_counts, shown), strict=True):
                image["truth"] = some.round(1).tolist()
    classes = config["val_dataloader"]["dataset"]["metainfo"]["classes"]
    return {"classes": classes, "colours": [colour(at) for at in range(len(classes))], "images": images, "rows": rows}


def best(found: np.ndarray) -> list[list[float]]:
    """One image's detections (N, 6) that are worth showing, the best last, so that it lies on top."""
    order = np.argsort(found[:, 5])[-MOST_BOXES:]
    return found[order][found[order, 5] >= LEAST_SCORE].round(2).tolist()


def split(rows: np.ndarray, counts: np.ndarray, shown: list[int]) -> list[np.ndarray]:
    """The rows of some images, of which each has as many as `counts` says."""
    parts = np.split(rows, np.cumsum(counts)[:-1])
    return [parts[at] for at in shown]


def masks(stored: dict[str, Path], root: Path, config: dict[str, Any]) -> Found:
    """Predicted masks and the truth's as PNG, transparent where the truth names no class."""
    rows: dict[str, Any] = {}
    images: list[dict[str, Any]] = []
    for recipe, path in stored.items():
        with np.load(path) as arrays:
            names, classes = arrays["shown_names"], arrays["classes"].tolist()
            shown = spread(len(names))
            rows[recipe] = [png(arrays[f"shown_{at}"]) for at in shown]
        if not images:
            for at in shown:
                image = photo(root / ADE20K / "images/validation" / f"{names[at]}.jpg", names[at])
                with Image.open(root / ADE20K / "annotations/validation" / f"{names[at]}.png") as truth:
                    image["truth"] = png(np.asarray(truth) - np.uint8(1))  # 0, no class, becomes IGNORED
                images.append(image)
    return {"classes": classes, "colours": [colour(at) for at in range(len(classes))], "images": images, "rows": rows}


def spread(images: int) -> list[int]:
    """Positions of IMAGES images, evenly over all."""
    return np.linspace(0, images - 1, min(IMAGES, images)).round().astype(int).tolist()


def photo(path: Path, name: str) -> dict[str, Any]:
    """A picture as a small JPEG, with the size it had."""
    with Image.open(path) as image:
        width, height = image.size
        small = image.convert("RGB")
    small.thumbnail((LONGER_SIDE_PX, LONGER_SIDE_PX))
    return {"name": str(name), "width": width, "height": height, "source": uri(small, "jpeg", quality=75)}


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


def colour(place: int) -> str:
    """The same for CSS."""
    return "#" + bytes(rgb(place)).hex()
