"""Boxes of own data: from which pixel they count, which leave their image, what is odd, and the classes."""

from collections import Counter
from collections.abc import Sequence

from trick_transfer.engine.names import is_text
from trick_transfer.engine.source import Found, Sample, in_order, listed

from .annotation import Annotation, is_crowd, placed


def place_boxes(found: Found, first_pixel: int | None, bad_boxes: str) -> None:
    """Let the boxes of samples, Annotations as stated, count from 0; adds what is to be told and mended."""
    stated = [sample.truth for sample in found.samples]
    said = "first_pixel, or the format, says so"
    origin, said, unclear = guessed(stated) if first_pixel is None else (first_pixel, said, "")
    pairs = [placed(each, origin, bad_boxes) for each in stated]
    found.samples = [sample._replace(truth=each) for sample, (each, _) in zip(found.samples, pairs, strict=True)]
    if unclear:  # which boxes are bad is not known, either
        found.problems.append(unclear)
        return
    found.reading.append(f"boxes count pixels from {origin}: {said}")
    bad = [f"{each.where}: {line}" for each, lines in pairs for line in lines]
    if bad_boxes == "error":
        found.problems += [f"{line}; correct it, or set bad_boxes='clip' or 'drop'" for line in bad]
    elif bad:
        lost = sum(len(each.objects) for each in stated) - sum(len(each.objects) for each, _ in pairs)
        told = f"{len(bad):,} bad boxes: {len(bad) - lost:,} are clipped, {lost:,} left out, such as {bad[0]}"
        found.reading.append(told)


def name_classes(found: Found, classes: Sequence[str] | None, order: Sequence[str]) -> None:
    """Set the classes: those named, else those of `order` that have an object; adds what is to be told and mended."""
    if classes is None:
        used = {each["name"] for sample in found.samples for each in sample.truth.objects}
        found.classes = tuple(name for name in order if name in used)
        empty = [name for name in order if name not in used]
        found.reading.append(f"{len(used):,} classes, as the annotations name them: {listed(found.classes)}")
        found.reading += [f"{len(empty):,} categories without object are left out: {listed(empty)}"] * bool(empty)
    else:
        found.classes = in_order(classes)
    found.reading += oddities(found.samples)
    found.problems += misfits(found)


def guessed(found: Sequence[Annotation]) -> tuple[int, str, str]:
    """The first pixel's number, as the boxes tell, why, and a problem if they contradict each other.

    A side at 0 counts from 0; one at the image's width or height counts from 1.
    """
    zero, one = [], []
    for each in found:
        for x1, y1, x2, y2 in (thing["bbox"] for thing in each.objects):
            zero += [each.where] * (0 <= x1 < 1 or 0 <= y1 < 1)
            one += [each.where] * (each.width <= x2 < each.width + 1 or each.height <= y2 < each.height + 1)
    at_zero = f"{len(zero):,} have a side at 0 (such as {''.join(zero[:1])})"
    at_end = f"{len(one):,} have one at the image's width or height (such as {''.join(one[:1])})"
    if zero and one:
        fix = "if sides run from 0 to the width, as CVAT and VoTT write them, set first_pixel=0 and bad_boxes='clip'"
        fix += "; if they count from 1, set first_pixel=1"
        return 0, "", f"boxes count pixels from 0 and from 1: {at_zero}, {at_end}; {fix}"
    if zero:
        return 0, f"{at_zero}, none has one at the image's width or height; if that is wrong, set first_pixel=1", ""
    why = f"{at_end}, none at 0" if one else "as in VOC; no side is at 0, or at the image's width or height"
    return 1, f"{why}; if that is wrong, set first_pixel=0", ""


def names_in(truth: Annotation) -> set[str]:
    """The classes of which an image shows a single object."""
    return {each["name"] for each in truth.objects if not is_crowd(each)}


def oddities(samples: Sequence[Sample]) -> list[str]:
    """One line for each kind of thing that is worth knowing, with its count."""
    objects = [(sample.name, each) for sample in samples for each in sample.truth.objects]
    boxes = Counter((name, each["name"], *each["bbox"]) for name, each in objects)
    facts = {
        "are repetitions, of one class and box; all are read": [
            name for name, *_ in (boxes - Counter({*boxes})).elements()
        ],
        "are difficult: trained on, not scored": [name for name, each in objects if each["difficult"] == 1],
        "are crowds: left out of training, and what matches them is not scored": [
            name for name, each in objects if is_crowd(each)
        ],
        "are one pixel wide or high": [
            name for name, each in objects if each["bbox"][0] == each["bbox"][2] or each["bbox"][1] == each["bbox"][3]
        ],
    }
    lines = [
        f"of {len(objects):,} objects {len(names):,} {what} ({listed(names)})" for what, names in facts.items() if names
    ]
    remarks: dict[str, list[str]] = {}
    for sample in samples:
        for remark in sample.truth.remarks:
            remarks.setdefault(remark, []).append(sample.name)
    lines += [f"{len(names):,} annotations {remark} ({listed(names)})" for remark, names in sorted(remarks.items())]
    empty = [sample.name for sample in samples if not sample.truth.objects]
    return lines + [f"{len(empty):,} images show no object ({listed(empty)})"] * bool(empty)


def misfits(found: Found) -> list[str]:
    """A problem for each name that is no class, or no name for a file."""
    problems = [
        f"rename {str(sample.image)!r}: spaces at its ends, line breaks and letters not in UTF-8 get lost"
        for sample in found.samples
        if not survives(sample.file_name)
    ]
    return problems + [
        f"{sample.truth.where}: label {name!r} is not one of the {len(found.classes)} classes; list it, or correct it"
        for sample in found.samples
        for name in sorted({each["name"] for each in sample.truth.objects}.difference(found.classes))
    ]


def survives(name: str) -> bool:
    """Whether a list of names, one a line, can hold a name."""
    return name.splitlines() == [name.strip()] and is_text(name)
