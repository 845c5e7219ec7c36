"""What a source holds and how it will be read, in words and as a picture: for looking at before anything is trained."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from rich.console import Console

from trick_transfer.engine.files import write_whole
from trick_transfer.engine.images import orientation, stored_px
from trick_transfer.engine.pictures import HEIGHT_PX, spread
from trick_transfer.engine.progress import over_threads
from trick_transfer.engine.source import Found, Sample, class_counts, listed
from trick_transfer.engine.stage import Stage

from .prepare import FIX, laid_out
from .source import Source

PICTURES, COLUMNS, WIDTH_PX = 40, 5, 288  # of a contact sheet, spread evenly over the images
LISTED = 20  # classes


def report(stage: Stage, source: Source, sheet: Path) -> bool:
    """Print how a source is read, what it holds, and its problems; draw it. Returns whether there are none."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{stage.name}: {source.folder} as {source.format!r}", markup=False)
    with TemporaryDirectory() as folder:
        found, problems = laid_out(stage, source, Path(folder))
    for line in (*sizes(found.samples), classes(found), *(images_by_class(stage, found) if found.problems else ())):
        console.print(f"  {line}", markup=False)
    for line in problems:
        console.print(f"  problem: {line}", markup=False)
    console.print(f"  {len(problems):,} problems" + f"; {FIX}" * bool(problems), markup=False)
    if drawn := draw(stage, found):
        write_whole(sheet, lambda part: part.write_bytes(cv2.imencode(".png", joined(drawn)[..., ::-1])[1].tobytes()))
        console.print(f"  {len(drawn)} images are drawn with their truth in {sheet}", markup=False)
    return not problems


def sizes(samples: Sequence[Sample]) -> list[str]:
    """The images' sizes, and how many EXIF turns."""
    headers = list(over_threads(header, [sample.image for sample in samples], "looking at sizes"))
    turned = [sample.name for sample, (_, way) in zip(samples, headers, strict=True) if way > 1]
    sides = [sorted(px) for px, _ in headers if all(px)]
    if not sides:
        return ["no image can be read"]
    (low, mid, high), (least, usual, most) = ((min(side), median(side), max(side)) for side in zip(*sides, strict=True))
    exif = f"; EXIF turns {len(turned):,} ({listed(turned)}), which are read as stored unless said above (docs/data.md)"
    short = f"short side {low:,.0f} to {high:,.0f} px (median {mid:,.0f})"
    return [f"{short}, long side {least:,.0f} to {most:,.0f} px (median {usual:,.0f})" + exif * bool(turned)]


def header(image: Path) -> tuple[tuple[int, int], int]:
    """Width and height as stored, and EXIF's orientation; 0, 0 and 1 of what cannot be read."""
    try:
        return stored_px(image), orientation(image)
    except ValueError:  # it is among the problems
        return (0, 0), 1


def classes(found: Found) -> str:
    """Their number and names."""
    return f"{len(found.classes):,} classes: {first_of(found.classes)}"


def first_of(words: Iterable[str]) -> str:
    """The first of them, separated by commas."""
    some = list(words)
    return ", ".join(some[:LISTED] + ["..."] * (len(some) > LISTED))


def images_by_class(stage: Stage, found: Found) -> Iterator[str]:
    """By split the number of images that show each class: of data with problems, which are not laid out."""
    for split, counts in class_counts(found, stage.shown_classes).items():
        numbers = first_of(f"{name} {counts[name]:,}" for name in found.classes)
        yield f"{split}: {len(found.of(split)):,} images; of each class: {numbers}"


def draw(stage: Stage, found: Found) -> list[np.ndarray]:
    """Pictures of some samples that can be read, with their truth."""
    pictures = []
    for place in spread(len(found.samples), PICTURES):
        try:
            pictures.append(stage.show(found.samples[place], found.classes))
        except (ValueError, OSError):  # it is among the problems
            continue
    return pictures


def joined(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """(H, W, 3): rows of COLUMNS pictures, each in a frame of the same size."""
    sheet = np.full((-(-len(pictures) // COLUMNS) * HEIGHT_PX, COLUMNS * WIDTH_PX, 3), 255, np.uint8)
    for place, picture in enumerate(pictures):
        top, left = place // COLUMNS * HEIGHT_PX, place % COLUMNS * WIDTH_PX
        narrow = min(1, WIDTH_PX / picture.shape[1])
        size = tuple(max(1, round(side * narrow)) for side in picture.shape[1::-1])
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        sheet[top : top + len(small), left : left + small.shape[1]] = small
    return sheet
