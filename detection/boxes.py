"""Boxes of own data: from which pixel they count, which leave their image, what is odd, and the classes."""

from collections import Counter
from collections.abc import Sequence

from trick_transfer.engine.source import Found, Sample

from .annotation import Annotation, is_crowd, placed


def finished(
    samples: list[Sample],
    classes: Sequence[str] | None,
    first_pixel: int | None,
    bad_boxes: str,
    reading: list[str],
    problems: list[str],
) -> Found:
    """The samples, whose truths are Annotations as stated, with boxes from 0; adds what it tells to both lists."""
    unclear: list[str] = []
    if first_pixel is None:
        first_pixel, said, unclear = guessed([sample.truth for sample in samples])
    else:
        said = [f"boxes count pixels from {first_pixel} (first_pixel)"]
    pairs = [placed(sample.truth, first_pixel, bad_boxes) for sample in samples]
    bad = [f"{found.where}: {line}" for found, lines in pairs for line in lines]
    reading, problems = reading + said, problems + unclear
    if bad_boxes == "error" and not unclear:  # else these boxes are bad from a guess
        problems = problems + [f"{line}; correct it, or set bad_boxes='clip' or 'drop'" for line in bad]
    elif bad:
        lost = sum(len(sample.truth.objects) for sample in samples) - sum(len(found.objects) for found, _ in pairs)
        reading.append(f"{len(bad):,} bad boxes: {len(bad) - lost:,} are clipped, {lost:,} left out; {some(bad)}")
    samples = [sample._replace(truth=found) for sample, (found, _) in zip(samples, pairs, strict=True)]
    names = sorted({each["name"] for found, _ in pairs for each in found.objects}) if classes is None else classes
    reading += [f"{len(names):,} classes, by their names in the annotations, sorted"] * (classes is None)
    return Found(samples, tuple(names), reading + oddities(samples), problems + misfits(samples, names))


def guessed(found: Sequence[Annotation]) -> tuple[int, list[str], list[str]]:
    """The first pixel's number, as the boxes tell, why, and a problem if they contradict each other.

    A side at 0 counts from 0; one that reaches the image's width or height counts from 1.
    """
    zero, one = [], []
    for each in found:
        for x1, y1, x2, y2 in (thing["bbox"] for thing in each.objects):
            zero += [each.where] * (0 <= x1 < 1 or 0 <= y1 < 1)
            one += [each.where] * (each.width <= x2 < each.width + 1 or each.height <= y2 < each.height + 1)
    if zero and one:
        evidence = (
            f"{len(zero):,} boxes have a side at 0 ({some(zero)}), {len(one):,} reach the image's width or height"
        )
        return 0, [], [f"{evidence} ({some(one)}); set first_pixel=0 or 1, and bad_boxes='clip' or 'drop'"]
    if zero:
        return (
            0,
            [f"boxes count pixels from 0: {len(zero):,} have a side at 0 ({some(zero)}); else set first_pixel=1"],
            [],
        )
    if one:
        why = f"{len(one):,} have a side at the image's width or height, none at 0"
    else:
        why = "as VOC does; none has a side at 0 or at the image's width or height, which would tell"
    return 1, [f"boxes count pixels from 1: {why}; else set first_pixel=0"], []


def oddities(samples: Sequence[Sample]) -> list[str]:
    """One line for each kind of thing that is worth knowing, with its count."""
    objects = [each for sample in samples for each in sample.truth.objects]
    sides = [(x2 - x1, y2 - y1) for x1, y1, x2, y2 in (each["bbox"] for each in objects)]
    facts = {
        "are difficult: trained on, not scored": sum(each["difficult"] == 1 for each in objects),
        "are crowds: left out of training, and what matches them is not scored": sum(map(is_crowd, objects)),
        "are one pixel wide or high": sum(min(pair) == 0 for pair in sides),
    }
    lines = [f"of {len(objects):,} objects {count:,} {what}" for what, count in facts.items() if count]
    remarks = Counter(remark for sample in samples for remark in sample.truth.remarks)
    lines += [f"{count:,} annotations {remark}" for remark, count in sorted(remarks.items())]
    empty = [sample.name for sample in samples if not sample.truth.objects]
    return lines + [f"{len(empty):,} images show no object ({some(empty)})"] * bool(empty)


def survives(name: str) -> bool:
    """Whether a list of names, one a line, can hold a name."""
    return name.splitlines() == [name.strip()] and name.encode("utf-8", "ignore").decode() == name


def misfits(samples: Sequence[Sample], classes: Sequence[str]) -> list[str]:
    """A problem for each name that is no class or no name for a file, and for each class that is only scored."""
    problems = []
    seen: dict[str | None, Counter[str]] = {"train": Counter(), "val": Counter(), None: Counter()}
    for sample in samples:
        if not survives(sample.file_name):
            problems.append(f"rename {sample.image}: spaces at its ends, line breaks and letters not in UTF-8 get lost")
        names = {each["name"] for each in sample.truth.objects}
        seen[sample.split].update({each["name"] for each in sample.truth.objects if not is_crowd(each)})
        for name in sorted(names.difference(classes)):
            problems.append(f"{sample.truth.where}: label {name!r} is not one of the {len(classes)} classes")
    only = sorted(seen["val"].keys() - seen["train"].keys()) if seen["train"] else []
    return problems + [
        f"class {name!r} is in {seen['val'][name]:,} scored images, in none for training; correct its name or move some"
        for name in only
    ]


def some(names: Sequence[str]) -> str:
    """The first few of them."""
    distinct = list(dict.fromkeys(names))
    return ", ".join(distinct[:3]) + (", ..." if len(distinct) > 3 else "")
