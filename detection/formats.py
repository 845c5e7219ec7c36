"""Detection's formats of own data: a folder -> images with boxes, and in words how it was read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePath

from trick_transfer.engine.files import text_lines
from trick_transfer.engine.images import SUFFIXES, is_image, is_whole, stored_px
from trick_transfer.engine.manifest import data_files
from trick_transfer.engine.progress import over_threads
from trick_transfer.engine.source import Format, Found, Sample, listed
from trick_transfer.engine.values import check_name

from .annotation import BAD_BOXES, Annotation, parse
from .boxes import name_classes, place_boxes
from .coco_file import MARKS, CocoPart, coco_names, find_jsons
from .sets import chosen, splits
from .voc_folder import VocFolder

UNANNOTATED = ("error", "empty", "drop")
CLASS_LISTS = ("classes.txt", "labels.txt")
MOST_READ = 20  # files, to recognise a format: others lie about, too


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
        raise ValueError(f"{folder} holds no .xml file; expected VOC annotations beside images or in a folder")

    def read(key: str, stored: tuple[int, int]) -> Annotation:
        if key not in files.xmls:
            return Annotation(str(files.images[key]), *stored, [])
        return parse(files.xmls[key], None, files.images[key], stored)

    split, reading, problems = splits(files.sets, files.names, train, val)
    keys, told, wrong = annotated(files, sorted(split), unannotated)
    samples, unread = read_all({key: files.images[key] for key in keys}, split, read)
    if classes is None and (path := next(filter(Path.is_file, (folder / name for name in CLASS_LISTS)), None)):
        classes = text_lines(path)
        told.append(f"{len(classes):,} classes, those of {path}")
    found = Found(samples, (), reading + files.told + told, problems + files.problems + wrong + unread)
    place_boxes(found, first_pixel, bad_boxes)
    name_classes(found, classes, sorted({each["name"] for sample in samples for each in sample.truth.objects}))
    return found


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
            problems.append(f"{xml} has no image ({', '.join(SUFFIXES)}); add or convert it, or remove the XML")
        elif not image:
            problems.append(f"{files.lists[key]} lists {key}, which has neither image nor XML; add them, or correct it")
    if unannotated == "error":
        fix = "add it, or set unannotated='empty' (it shows no object) or 'drop'"
        return read, [], problems + [f"{image} has no XML; {fix}" for image in bare]
    words = "show no object" if unannotated == "empty" else "are left out"
    return read, [f"{len(bare):,} images without XML {words}, as unannotated says"] * bool(bare), problems


def coco(
    folder: Path,
    *,
    images: str | None = None,
    classes: Sequence[str] | None = None,
    first_pixel: int = 0,
    bad_boxes: str = "error",
    train: str | None = None,
    val: str | None = None,
) -> Found:
    """COCO JSONs of boxes with their images: COCO's own folders, a JSON in each of train, valid and test, or one file.

    `train` and `val` name the JSONs (or the sets, if these can be told by the names of JSONs or folders) to be trained
    on and to be scored, as in `voc`; one JSON alone is split. `images`: the folder of the images, if it is none of the
    usual ones. `classes`: in the order of their numbers; without, the categories that have an object, in the order of
    their ids in the first JSON. Boxes count from `first_pixel`, and bad ones are treated as in `voc`. What is marked
    `iscrowd` is no single object: it is left out of training, and difficult where it is scored.
    """
    check_options(first_pixel, bad_boxes)
    paths = find_jsons(folder, train, val)
    used = chosen(paths, train, val) or paths
    parts = {name: CocoPart(folder, path, images) for name, path in paths.items() if name in used}
    of_key = {key: part for part in parts.values() for key in part.images}

    def read(key: str, stored: tuple[int, int]) -> Annotation:
        return of_key[key].annotation(key, stored)

    sets = {name: parts[name].images if name in parts else () for name in paths}
    split, reading, problems = splits(sets, of_key, train, val)
    samples, unread = read_all({key: part.images[key] for key, part in of_key.items()}, split, read)
    problems += [line for part in parts.values() for line in part.problems] + unread
    reading += [f"{part.path} has its images in {part.base}" for part in parts.values()] + unlisted(parts.values())
    reading += [f"{part.path}: {line}" for part in parts.values() for line in part.coco.shared_names()]
    found = Found(samples, (), reading, problems)
    place_boxes(found, first_pixel, bad_boxes)
    categories = [name for part in parts.values() for name in part.coco.names.values()]
    name_classes(found, classes, list(dict.fromkeys(categories)))
    return found


def unlisted(parts: Iterable[CocoPart]) -> list[str]:
    """What is told of images that are in the folders, and in no JSON."""
    known = {path for part in parts for path in part.images.values()}
    there = {base / name for base in {part.base for part in parts if part.base.is_dir()} for name in data_files(base)}
    rest = [path for path in sorted(there - known) if is_image(path.name)]
    return [f"{len(rest):,} images are in no JSON that is read: {listed(path.name for path in rest)}"] * bool(rest)


def check_options(first_pixel: int | None, bad_boxes: str) -> None:
    """Raise ValueError for values that do not exist."""
    check_name("bad_boxes", bad_boxes, BAD_BOXES)
    if first_pixel not in (0, 1, None):
        raise ValueError(f"first_pixel must be 0 or 1, got {first_pixel!r}")


def read_all(
    images: Mapping[str, Path], split: Mapping[str, str | None], read: Callable[[str, tuple[int, int]], Annotation]
) -> tuple[list[Sample], list[str]]:
    """A sample of each image that can be read (by its key and the size stored), and a problem for each other."""

    def look(key: str) -> Annotation | str:
        try:
            return read(key, measured(images[key]))
        except (ValueError, OSError) as error:
            return str(error)

    keys = sorted(images)
    found = dict(zip(keys, over_threads(look, keys, "reading boxes"), strict=True))
    samples = [
        Sample(key, images[key], each, split[key]) for key, each in found.items() if isinstance(each, Annotation)
    ]
    return samples, [each for each in found.values() if isinstance(each, str)]


def measured(image: Path) -> tuple[int, int]:
    """Width and height as stored. Raises ValueError for what is no whole image of a kind that training reads."""
    if not image.is_file():
        raise ValueError(f"{image} does not exist; add it, or say in which folder the images are")
    if not is_image(image.name):
        raise ValueError(f"{image} is none of {', '.join(SUFFIXES)}; convert it")
    if not is_whole(image) or not all(size := stored_px(image)):
        raise ValueError(f"{image} is truncated or not an image; replace or remove it")
    return size


def recognise(folder: Path) -> str | None:
    """The format that a folder, or a JSON, seems to have, by its files' names, and words in some of them."""
    home, names = (folder, data_files(folder)) if folder.is_dir() else (folder.parent, {folder.name: 0})
    jsons = coco_names(names)
    if any(mark in PurePath(name).name.lower() for name in jsons for mark in MARKS):
        return "coco"
    xmls = sorted(name for name in names if name.lower().endswith(".xml"))
    for form, files, word in (("voc", xmls, b"<annotation"), ("coco", jsons, b'"annotations"')):
        if any(word in (home / name).read_bytes() for name in files[:MOST_READ]):
            return form
    return None


FORMATS: dict[str, Format] = {"voc": voc, "coco": coco}
