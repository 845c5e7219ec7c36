"""ImageNet and Tiny-ImageNet as published: class folders to train on, a flat `val` whose classes are in a list."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath

from scipy.io import loadmat

from trick_transfer.engine.archives import subfolders
from trick_transfer.engine.files import brief
from trick_transfer.engine.images import is_image
from trick_transfer.engine.manifest import data_files
from trick_transfer.engine.source import SPLITS, Found, Sample, listed

from .class_folders import class_images, under
from .layout import numbered
from .lists import read_list

TRUTH, META = "ILSVRC2012_validation_ground_truth.txt", "meta.mat"  # of ImageNet's development kit
TINY = "val_annotations.txt"


def tiny_imagenet(folder: Path, classes: Sequence[str] | None = None) -> Found:
    """tiny-imagenet-200 as published: `train/<class>/images/*.JPEG`, `val/images/*.JPEG` and their classes in
    `val/val_annotations.txt`. `classes`: as in `folders`. Raises OSError or ValueError for a folder without them.
    """
    told = Found([], ())
    lines = read_list(folder / "val" / TINY, told, "\t", header=False)
    return flat_val(folder, {line.path: line.label for line in lines}, classes, told)


def imagenet_val(folder: Path, truth: str | None = None, classes: Sequence[str] | None = None) -> Found:
    """ImageNet as published: `train/<class>/*.JPEG`, `val/*.JPEG`, and somewhere in `folder` the development kit with
    their classes (ILSVRC2012_validation_ground_truth.txt, meta.mat); or in the list `truth` in `folder`, `name class` a
    line. `classes`: as in `folders`. Raises OSError or ValueError for a folder without them.
    """
    told = Found([], ())
    if truth:
        labels = {PurePosixPath(line.path).name: line.label for line in read_list(folder / truth, told, None, None)}
        return flat_val(folder, labels, classes, told)
    if not (found := kit(folder)):
        raise FileNotFoundError(f"{folder} has no {TRUTH}; unpack the development kit there, or name a list: truth=...")
    told.reading.append(f"val: classes from {found} and {META} beside it")
    try:
        numbers = validation_classes(found.read_bytes(), found.with_name(META).read_bytes())
    except Exception as fault:  # of damaged files SciPy raises what it likes
        raise ValueError(f"{found} and {META} are not those of ImageNet: {brief(fault)}; unpack them again") from None
    return flat_val(folder, {f"ILSVRC2012_val_{number}.JPEG": each for number, each in numbers.items()}, classes, told)


def kit(folder: Path) -> Path | None:
    """The list of ImageNet's development kit, in a folder or below it, but not among the images."""
    places = [
        folder / TRUTH,
        *(each for sub in subfolders(folder) if sub.name not in SPLITS for each in sub.rglob(TRUTH)),
    ]
    return next((each for each in places if each.is_file()), None)


def validation_classes(truth: bytes, meta: bytes) -> dict[str, str]:
    """The class of each of ImageNet's validation images by its number of eight digits, from its development kit."""
    synsets = loadmat(BytesIO(meta), squeeze_me=True)["synsets"]  # rows: ILSVRC2012_ID, WNID, words, ...
    class_of = {int(row[0]): str(row[1]) for row in synsets}
    return {f"{place:08d}": class_of[int(number)] for place, number in enumerate(truth.split(), 1)}


def flat_val(folder: Path, labels: Mapping[str, str], classes: Sequence[str] | None, told: Found) -> Found:
    """Class folders in `train`, and in `val` images whose classes are known by their names without folder."""
    for split in SPLITS:
        if not (folder / split).is_dir():
            raise FileNotFoundError(f"{folder / split} does not exist; name the folder of train and val")
    if others := [each.name for each in subfolders(folder) if each.name not in SPLITS]:
        told.reading.append(f"left out beside train and val: {listed(others)}")
    samples = [
        Sample(under(path, folder), path, label, "train") for path, label in class_images(folder / "train", told)
    ]
    val = {
        path.name: path for name in sorted(data_files(folder / "val")) if is_image((path := folder / "val" / name).name)
    }
    told.problems += [
        f"{folder / 'val'} lacks {name}, which the list names; get it, or delete the line"
        for name in sorted(labels.keys() - val.keys())
    ]
    for name, path in val.items():
        if name in labels:
            samples.append(Sample(under(path, folder), path, labels[name], "val"))
        else:
            told.problems.append(f"{path} has no class in the list; add a line, or delete the image")
    return numbered(samples, {each.name for each in subfolders(folder / "train")} | set(labels.values()), classes, told)
