"""Detection's formats of own data: a folder -> images with boxes, and in words how it was read."""

from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

from trick_transfer.engine.images import is_whole, stored_px
from trick_transfer.engine.manifest import data_files
from trick_transfer.engine.progress import over_threads
from trick_transfer.engine.source import Format, Found, Sample
from trick_transfer.engine.values import check_name

from .annotation import BAD_BOXES, Annotation, parse
from .boxes import finished
from .layout import read_list
from .sets import splits
from .voc_folder import VocFolder

UNANNOTATED = ("error", "empty", "drop")
CLASS_LISTS = ("classes.txt", "labels.txt")


def voc(
    folder: Path,
    *,
    classes: Sequence[str] | None = None,
    first_pixel: int | None = None,
    bad_boxes: str = "error",
    unannotated: str = "error",
    train: str | None = None,
    val: str | None = None,
) -> Found:
    """Images with VOC XMLs: a devkit or the folder above it, one year of it, or any folders of images and XMLs.

    An image and its XML have one name, beside each other or in folders such as images and annotations. Sets are those
    of ImageSets/Main (of all years together), or folders like train, valid and test. `train` and `val` name the set to
    be trained on and the one to be scored; without, they are trainval and test, else train and val. `classes`: in
    the order of their numbers; without, classes.txt or labels.txt, else the names in the XMLs, sorted. `first_pixel`:
    the number of an image's first pixel, 0 or 1, guessed if None. `bad_boxes`, of boxes that are empty or leave their
    image, and `unannotated`, of images without XML ("empty": they show no object), say what to do with them.
    """
    check_options(first_pixel, bad_boxes)
    check_name("unannotated", unannotated, UNANNOTATED)
    files = VocFolder(folder)
    if not files.xmls:
        raise ValueError(
            f"{folder} holds no .xml file; expected VOC annotations beside images, or in folders of theirs"
        )
    split, reading, problems = splits(files.sets, files.names, train, val)
    keys, told, wrong = annotated(files, sorted(split), unannotated)
    found = list(over_threads(reader(files), keys, f"reading {folder}"))
    samples = [
        Sample(key, files.images[key], truth, split[key])
        for key, truth in zip(keys, found, strict=True)
        if isinstance(truth, Annotation)
    ]
    problems += files.problems + wrong + [line for line in found if isinstance(line, str)]
    if classes is None and (listed := next(filter(Path.is_file, (folder / name for name in CLASS_LISTS)), None)):
        classes = read_list(listed)
        told.append(f"{len(classes):,} classes, those of {listed}")
    return finished(samples, classes, first_pixel, bad_boxes, reading + told, problems)


def annotated(files: VocFolder, keys: Sequence[str], unannotated: str) -> tuple[list[str], list[str], list[str]]:
    """Of the keys those that are read, what is told of the others, and problems."""
    read, bare, problems = [], [], []
    for key in keys:
        image, xml = files.images.get(key), files.xmls.get(key)
        if image and (xml or unannotated == "empty"):
            read.append(key)
        if image and not xml:
            bare.append(image)
        elif xml and not image:
            problems.append(f"{xml} has no image; add it, or remove the XML")
        elif not image:
            problems.append(f"{files.lists[key]} lists {key}, which has neither image nor XML; add them, or correct it")
    if unannotated == "error":
        fix = "add it, or set unannotated='empty' (it shows no object) or 'drop'"
        return read, [], problems + [f"{image} has no XML; {fix}" for image in bare]
    words = "show no object" if unannotated == "empty" else "are left out"
    return read, [f"{len(bare):,} images without XML {words}, as unannotated says"] * bool(bare), problems


def check_options(first_pixel: int | None, bad_boxes: str) -> None:
    """Raise ValueError for values that do not exist."""
    check_name("bad_boxes", bad_boxes, BAD_BOXES)
    if first_pixel not in (0, 1, None):
        raise ValueError(f"first_pixel must be 0 or 1, got {first_pixel!r}")


def reader(files: VocFolder) -> Callable[[str], Annotation | str]:
    """key -> its annotation, or what is wrong with it in one line."""

    def read(key: str) -> Annotation | str:
        image = files.images[key]
        try:
            if not is_whole(image) or not all(size := stored_px(image)):
                return f"{image} is truncated or not an image; replace or remove it"
            if key not in files.xmls:
                return Annotation(str(image), *size, [])
            return parse(files.xmls[key], None, image, size)
        except ValueError as error:
            return str(error)

    return read


def recognise(folder: Path) -> str | None:
    """The format that a folder seems to have, by its files' names."""
    suffixes = {PurePath(name).suffix.lower() for name in data_files(folder)} if folder.is_dir() else set()
    return "voc" if ".xml" in suffixes else None


FORMATS: dict[str, Format] = {"voc": voc}
