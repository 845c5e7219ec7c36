"""The kinds of files that classification reads as data of the user's own."""

from pathlib import Path

from trick_transfer.engine import archives
from trick_transfer.engine.archives import subfolders
from trick_transfer.engine.images import images_in
from trick_transfer.engine.names import IMAGES, SET_OF, TRUTHS
from trick_transfer.engine.source import Format

from .class_folders import folders, split_name
from .flat_val import TINY, imagenet_val, kit, tiny_imagenet
from .lists import SUFFIXES, list_files, lists

FORMATS: dict[str, Format] = {
    "folders": folders,
    "list": lists,
    "imagenet_val": imagenet_val,
    "tiny_imagenet": tiny_imagenet,
}
# folders of other stages' data, of images beside masks or boxes; a single mask is a class, of faces
OTHERS = {*IMAGES, *TRUTHS, "leftimg8bit", "gtfine"} - {"mask"}


def recognise(folder: Path) -> str | None:
    """By names: an archive; a list's file; Tiny-ImageNet's and ImageNet's lists; class folders with images; lists."""
    if archives.is_archive(folder):
        return None if are_others(class_names(folder)) else "folders"
    if folder.is_file():
        return "list" if folder.suffix.lower() in SUFFIXES else None
    if (folder / "val" / TINY).is_file():
        return "tiny_imagenet"
    if kit(folder):
        return "imagenet_val"
    names = class_names(folder)
    return "folders" if len(names) > 1 and not are_others(names) else "list" if list_files(folder) else None


def class_names(folder: Path) -> set[str]:
    """The names of the folders with images, in lower case, where class folders would be."""
    folder = archives.top(folder)
    place = archives.top(folder / (split_name(folder, "train") or "."))
    return {each.name.lower() for each in subfolders(place) if holds_images(each)}


def are_others(names: set[str]) -> bool:
    """Whether such folders are no classes, but another stage's data: images beside masks, train2017, trainannot."""
    return bool(OTHERS & names) or bool(names) and all(name.startswith(tuple(SET_OF)) for name in names)


def holds_images(folder: Path) -> bool:
    """Whether images are in a folder or its folders; no deeper, as one of several data sets has them."""
    return bool(images_in(folder)) or any(images_in(each) for each in subfolders(folder))
