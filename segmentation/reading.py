"""Own images with their masks, read once: what the masks hold, what that means, and what has to be mended."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trick_transfer.engine.images import orientation, stored_px
from trick_transfer.engine.progress import over_threads
from trick_transfer.engine.source import Found, Sample
from trick_transfer.engine.values import check_name

from .legend import UNKNOWN, Legend, Mask, raw_values
from .masks import mask_mode
from .meaning import Meaning

UNANNOTATED = ("error", "drop")
ODD = {"P": "have a palette: its indices are read", "I;16": "have 16 bits", "1": "have 1 bit: 0 and 1"}
ODD |= dict.fromkeys(("RGB", "RGBA", "LA"), "are stored in colours that are grey: that value is read")


class Look(NamedTuple):
    """What a mask holds: pixels by value; Pillow's mode; whether its image is shown turned; its problem, or ""."""

    pixels: dict[int, int] = {}
    mode: str = ""
    turned: bool = False
    problem: str = ""


def look(sample: Sample, colours: bool) -> Look:
    """A mask beside its image's header."""
    try:
        raw, (width, height) = raw_values(sample.truth, colours), stored_px(sample.image)
    except ValueError as error:
        return Look(problem=str(error))
    turned = orientation(sample.image) > 1
    values, pixels = np.unique(raw, return_counts=True)
    held = dict(zip(values.tolist(), pixels.tolist(), strict=True))
    return Look(held, mask_mode(sample.truth), turned, misfit(sample, raw.shape, (height, width), turned))


def misfit(sample: Sample, mask_px: tuple[int, ...], image_px: tuple[int, int], turned: bool) -> str:
    """The problem of a mask of another size than its image, heights first; else ""."""
    if 0 in image_px:
        return f"{sample.image} is no image that can be read; replace it"
    if mask_px == image_px:
        return ""
    sizes = f"mask {sample.truth} has {mask_px[1]} x {mask_px[0]} px, its image {image_px[1]} x {image_px[0]}"
    if turned and mask_px == image_px[::-1]:
        return f"{sizes} as stored, which EXIF turns when it is shown; store the image's pixels turned, without EXIF"
    return f"{sizes}; store both in one size"


def read(
    samples: Sequence[Sample],
    meaning: Meaning,
    reading: list[str],
    unannotated: str = "error",
    masks: Sequence[Path] = (),
) -> Found:
    """Samples whose truth is their mask's path, or None where they have none; `masks` have no image."""
    check_name("unannotated", unannotated, UNANNOTATED)
    problems = [f"mask {path} has no image; add it, remove the mask, or say which folders to read" for path in masks]
    bare, whole = ([each for each in samples if bool(each.truth) == known] for known in (False, True))
    if unannotated == "error":
        problems += [f"{each.image} has no mask; add it, or say unannotated='drop' to leave it out" for each in bare]
    elif bare:
        reading.append(f"{len(bare):,} images have no mask and are left out")
    shared = [path for path, images in Counter(each.truth for each in whole).items() if images > 1]
    problems += [f"mask {path} belongs to several images by its name; rename or remove all but one" for path in shared]
    work = partial(look, colours=meaning.colours is not None)
    looks = list(over_threads(work, whole, "reading masks"))
    problems += [each.problem for each in looks if each.problem]
    held = Counter[int]()
    for each in looks:
        held.update(each.pixels)
    legend = meaning.legend(set(held), reading) if held else Legend({})  # without a mask that can be read
    if meaning.classes or meaning.colours:
        reading.append(f"masks: {legend}")
    reading += oddities(looks, legend)
    problems += [line for pair in zip(whole, looks, strict=True) for line in unknown(*pair, legend)]
    known = [
        each._replace(truth=Mask(each.truth, legend, frozenset(seen.pixels)))
        for each, seen in zip(whole, looks, strict=True)
    ]
    return Found(known, legend.classes, reading, problems)


def unknown(sample: Sample, seen: Look, legend: Legend) -> Iterable[str]:
    """A problem for a mask with values or colours that mean nothing."""
    values = [value for value in seen.pixels if legend.table[value] == UNKNOWN]
    if values:
        pixels = sum(seen.pixels[value] for value in values)
        known = legend.said({*legend.names, *legend.ignored})
        fix = "name them in the colour table" if legend.colours else "name them in classes, or say them in ignore"
        yield f"mask {sample.truth} holds {legend.said(values)} ({pixels:,} pixels), expected {known}; {fix}"


def oddities(looks: Sequence[Look], legend: Legend) -> list[str]:
    """One line for each way in which files are odd."""
    modes = Counter(ODD[each.mode] for each in looks if each.mode in ODD and not legend.colours)
    found = [f"{count:,} masks {words}" for words, count in modes.items()]
    if turned := sum(each.turned for each in looks):
        found.append(f"{turned:,} images are turned by EXIF when they are shown; they are read as stored, as masks are")
    return found
