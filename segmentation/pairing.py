"""Which file of a folder is an image, which one is its mask, and in which split they are: told by names alone."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from trick_transfer.engine.images import is_image
from trick_transfer.engine.manifest import data_files
from trick_transfer.engine.names import IMAGES, SET_OF, TRUTHS, plain, set_of, words_of
from trick_transfer.engine.source import Sample
from trick_transfer.engine.values import check_name

ENDINGS = ("", "_mask", "_masks", "-mask", "_L", "_gt", "_seg", "_label", "_labels", "_labelIds", "_labelTrainIds")


class File(NamedTuple):
    """A file below a folder: whether it is a `mask` and its `split`, as folders' names say, or None.

    `key` is what is left of its path without such names and its suffix.
    """

    path: Path
    mask: bool | None
    split: str | None
    key: str


def placed(folder: Path, name: str, mask: bool | None) -> File:
    """A file by the words of its path under a folder: train_masks/a.png is a mask for training, and its key is a."""
    *above, last = PurePosixPath(name).parts
    words = [word for part in above for word in words_of(part)]
    if mask is None and (roles := [plain(word) in TRUTHS for word in words if plain(word) in (*IMAGES, *TRUTHS)]):
        mask = any(roles)
    split = next(filter(None, map(set_of, words)), None)
    rest = [word for word in words if plain(word) not in (*IMAGES, *TRUTHS, *SET_OF)]
    return File(folder / name, mask, split, "/".join([*rest, PurePosixPath(last).stem]))


def files(folder: Path, mask: bool | None = None) -> list[File]:
    """The images and masks below a folder, sorted. Raises NotADirectoryError for another thing."""
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder of images and masks")
    names = sorted(filter(is_image, data_files(folder)))
    return [placed(folder, name, mask) for name in names]


def all_files(folder: Path, images: str | None, masks: str | None) -> list[File]:
    """Those below a folder, or in the subfolders named. Raises ValueError for one of them alone, or elsewhere."""
    if images is None and masks is None:
        return files(folder)
    if images is None or masks is None:
        raise ValueError("name both folders, that of the images and that of the masks")
    if any(Path(each).is_absolute() or ".." in Path(each).parts for each in (images, masks)):
        raise ValueError(f"images {images!r} and masks {masks!r} must lie below {folder}; take a folder above both")
    return files(folder / images, False) + files(folder / masks, True)


def found_pairs(
    folder: Path, images: str | None, masks: str | None, suffix: str | None, reading: list[str]
) -> tuple[list[Sample], list[Path]]:
    """Each image with its mask's path as the truth, or None; and masks without an image. Raises OSError, ValueError."""
    found = all_files(folder, images, masks)
    pictures = [file for file in found if file.mask is False] or [file for file in found if not file.mask]
    pngs = [file for file in found if file.mask] or pictures  # one folder may have both
    ending, own = with_ending(pictures, [file for file in pngs if file.path.suffix.lower() == ".png"], suffix)
    if ending:
        reading.append(f"a mask is called as its image with {ending!r} at the end" + ": a guess" * (suffix is None))
    paths = {mask.path for mask in own}
    pictures = [image for image in pictures if image.path not in paths]
    if left := sorted({file.path for file in found} - paths - {image.path for image in pictures}):
        reading.append(f"{len(left):,} files are, by their names, neither images nor masks of them, such as {left[0]}")
    return pair(folder, pictures, own)


def with_ending(images: Sequence[File], masks: Sequence[File], stated: str | None) -> tuple[str, list[File]]:
    """How masks' names end beyond their image's, and the masks that do, with their images' keys."""
    keys = {image.key for image in images}
    in_one_folder = not {image.path for image in images}.isdisjoint(mask.path for mask in masks)
    endings = [each for each in ENDINGS if each or not in_one_folder] if stated is None else [stated]
    ended = {
        ending: [mask._replace(key=mask.key.removesuffix(ending)) for mask in masks if mask.key.endswith(ending)]
        for ending in endings
    }
    best = max(ended, key=lambda ending: sum(mask.key in keys for mask in ended[ending]))
    return best, ended[best]


def pair(folder: Path, images: Sequence[File], masks: Sequence[File]) -> tuple[list[Sample], list[Path]]:
    """Where only images or only masks are in splits, the others follow them."""
    both = any(image.split for image in images) and any(mask.split for mask in masks)
    of = {(mask.split if both else None, mask.key): mask for mask in masks}
    samples, used = [], set()
    for image in images:
        mask = of.get((image.split if both else None, image.key))
        split = image.split or (mask.split if mask else None)
        name = image.path.relative_to(folder).with_suffix("").as_posix()
        samples.append(Sample(name, image.path, mask.path if mask else None, split))
        used.add(mask)
    return samples, [mask.path for mask in masks if mask not in used]


def in_splits(samples: Sequence[Sample], which: str | None, usual: str, reading: list[str]) -> list[Sample]:
    """The samples of what is trained on and what is scored. `which` of val and test is scored; None: `usual`, if there.

    With test scored, val is trained on; with val scored, and where test has no masks, test is left out.
    """
    if not any(sample.truth for sample in samples if sample.split == "test"):
        unknown = sum(sample.split == "test" for sample in samples)
        reading += [f"the {unknown:,} images of test have no masks and are left out"] * bool(unknown)
        samples = [sample for sample in samples if sample.split != "test"]
    found = {sample.split for sample in samples if sample.split}
    scored = sorted(found & {"val", "test"})
    if which is not None:
        check_name("scored", which, scored)
    if not scored:
        return [sample._replace(split=None) for sample in samples]
    if without := [sample.image for sample in samples if not sample.split]:
        raise ValueError(
            f"{len(without):,} images are in no split, while others are: {without[0]}; move or remove them"
        )
    which = which or (usual if usual in found else scored[0])
    other = {"val": "test", "test": "val"}[which]
    into = {"train": "train", "trainval": "train", which: "val", **({"val": "train"} if which == "test" else {})}
    rest = {"val": ", and val is trained on, too", "test": ", and test is not read"}[other]
    reading.append(f"{which} is scored" + f"{rest}; scored='{other}' turns it round" * (other in found))
    return [sample._replace(split=into[sample.split]) for sample in samples if sample.split in into]
