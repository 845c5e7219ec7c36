"""Images that are in the data twice: equal files, and pictures that look alike by a perceptual hash.

The hash is ImageHash's `phash`: the signs of the 8 x 8 lowest frequencies. A picture that was compressed, resized or
brightened keeps it nearly; mirrored, turned, or cropped by more than a few per cent it has another.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import imagehash
import numpy as np
from PIL import Image

from trick_transfer.engine import archives
from trick_transfer.engine.images import opened
from trick_transfer.engine.manifest import sha256_of
from trick_transfer.engine.progress import over_threads
from trick_transfer.engine.source import SPLITS, Found, Sample

# Pictures look alike if their hashes differ in at most so many of 64 bits, and their grey levels are so correlated.
# Measured on 400 photographs each of Tiny-ImageNet and VOC2007: saved as JPEG of quality 30, or at half the size, all
# look alike; with 30 % more light 99 %, at quality 10 98 %, cropped by 2 % on each side 91 and 74 %, by 5 % 6 and 9 %.
# Different ones do not: 465 of 150 million pairs of 30,000 training and 5,000 scored images of Tiny-ImageNet, and 29
# of VOC2007's 6 million, have hashes so close, but correlations up to 0.905 and 0.927. In CamVid, whose splits are
# other drives but for one cut, it finds the two frames beside the cut. Of 4,729 silhouettes of animals (28 px) 1 % have
# a false twin among 873 others; by the hash alone, of 6 bits, 13 % had one.
MOST_BITS, LEAST_CORRELATION = 12, 0.93
# The fewest bits that are set in a hash that tells something. All 40,653 photographs above have 32; pictures of one
# colour, and gradients, have 4 at most, and would all look alike.
FEWEST_SET = 16
JPEG_PX = 128  # a JPEG is decoded in no fewer, which is fast
GREY_PX = 32  # pictures are compared in so many pixels a side, as the hash does
PAIRS = 1 << 22  # compared at once


class Twins(NamedTuple):
    """An image for training, and one that is scored; `alike`: not equal byte by byte."""

    train: Sample
    val: Sample
    alike: bool


def without_twins(found: Found, drop: bool) -> Found:
    """Tell of images in both splits or in two classes; with `drop`, leave them out of training."""
    same = same_files(found)
    pairs, torn = twins(found, same), contradictions(same)
    if drop:
        scored = {pair.train.name for pair in pairs}
        unclear = {each.name for group in torn for each in group if each.split == "train"} - scored
        for names, reason in ((scored, "they are, or look like, scored ones"), (unclear, "equal files in two classes")):
            found.reading += [f"{len(names):,} training images are left out: {reason}"] * bool(names)
        found = found.with_samples([each for each in found.samples if each.name not in scored | unclear])
        pairs, torn = [], [group for group in torn if group[0].split == "val"]
    found.problems += [
        f"{pair.train.image} {'looks like' if pair.alike else 'is the same as'} {pair.val.image}, which is scored; "
        "duplicates='drop' leaves such images out of training, 'keep' keeps them"
        for pair in pairs
    ]
    found.problems += [
        f"{first.image} of class {found.classes[first.truth]} is the same as {other.image} of "
        f"{found.classes[other.truth]}; remove one, or duplicates='keep' keeps both"
        for first, *others in torn
        for other in others
        if other.truth != first.truth
    ]
    return found


def same_files(found: Found) -> list[list[Sample]]:
    """Groups of two samples or more whose files are equal byte by byte; only files of one size are read."""
    samples = [sample for sample in found.samples if archives.file_status(sample.image)]
    sizes = [archives.size(sample.image) for sample in samples]
    times = Counter(sizes)
    samples = [sample for sample, size in zip(samples, sizes, strict=True) if times[size] > 1]
    groups = defaultdict(list)
    for sample, digest in zip(samples, over_images(sha256_of, samples, "equal files"), strict=True):
        groups[digest].append(sample)
    return [group for group in groups.values() if len(group) > 1]


def contradictions(same: Iterable[Sequence[Sample]]) -> list[list[Sample]]:
    """Of groups of equal files, the samples of one split that have several classes, where the truth is a class."""
    of_split = ([each for each in group if each.split == split] for group in same for split in SPLITS)
    return [
        group
        for group in of_split
        if all(isinstance(each.truth, int) for each in group) and len({each.truth for each in group}) > 1
    ]


def twins(found: Found, same: Iterable[Sequence[Sample]]) -> list[Twins]:
    """Every training image that is, or looks like, a scored one, in the order of names; one scored image for each.

    `same` are the groups of `same_files`.
    """
    pairs = {
        each.name: Twins(each, val, False)
        for group in same
        for val in [sample for sample in group if sample.split == "val"][:1]
        for each in group
        if each.split == "train"
    }
    rest = [sample for sample in found.of("train") if sample.name not in pairs]
    pairs |= {train.name: Twins(train, val, True) for train, val in look_alikes(rest, found.of("val"))}
    return [pairs[name] for name in sorted(pairs)]


def look_alikes(train: Sequence[Sample], val: Sequence[Sample]) -> Iterator[tuple[Sample, Sample]]:
    """Each training image that looks like a scored one, with the one of these whose hash is closest."""
    (train, ours), (val, theirs) = telling(train), telling(val)
    step = max(1, PAIRS // max(1, len(val)))
    for start in range(0, len(train) if val else 0, step):
        differing = np.bitwise_count(ours[start : start + step, None] ^ theirs)
        for row in np.flatnonzero(differing.min(1) <= MOST_BITS):
            near = np.flatnonzero(differing[row] <= MOST_BITS)
            one = train[start + row]
            others = (val[place] for place in near[differing[row, near].argsort(kind="stable")])
            if alike := next((each for each in others if look_alike(one, each)), None):
                yield one, alike


def telling(samples: Sequence[Sample]) -> tuple[list[Sample], np.ndarray]:
    """The samples whose pictures have a hash that tells something, and these hashes (N,) uint64."""
    hashes = np.fromiter(over_images(perceptual_hash, samples, "pictures that look alike"), np.uint64, len(samples))
    kept = np.bitwise_count(hashes) >= FEWEST_SET
    return [sample for sample, keep in zip(samples, kept, strict=True) if keep], hashes[kept]


def perceptual_hash(path: Path) -> int:
    """64 bits; 0 for an image that cannot be read, which the check of each file names."""
    try:
        return int(str(imagehash.phash(grey(path))), 16)
    except Exception:  # of damaged files Pillow raises what it likes
        return 0


def look_alike(one: Sample, other: Sample) -> bool:
    """Whether two images' grey levels are correlated."""
    greys = [np.asarray(grey(sample.image), float).ravel() for sample in (one, other)]
    return bool(np.corrcoef(greys)[0, 1] >= LEAST_CORRELATION)


def grey(path: Path) -> Image.Image:
    """An image in GREY_PX x GREY_PX grey levels."""
    with opened(path) as image:
        image.draft("L", (JPEG_PX, JPEG_PX))
        return image.convert("L").resize((GREY_PX, GREY_PX), Image.Resampling.LANCZOS)


def over_images(work: Callable[[Path], Any], samples: Sequence[Sample], title: str) -> Iterator[Any]:
    """`work` on each sample's image, in order."""
    return over_threads(work, [sample.image for sample in samples], title)
