"""The kinds of files that classification reads as data of the user's own."""

from pathlib import Path

from trick_transfer.engine.images import is_image
from trick_transfer.engine.source import Format

from .class_folders import folders, split_name, subfolders
from .lists import SUFFIXES, TINY, imagenet_val, kit, list_files, lists, tiny_imagenet

FORMATS: dict[str, Format] = {
    "folders": folders,
    "list": lists,
    "imagenet_val": imagenet_val,
    "tiny_imagenet": tiny_imagenet,
}
OTHERS = {
    "annotations",
    "jpegimages",
    "images",
    "labels",
    "masks",
    "segmentationclass",
}  # folders of other stages' data


def recognise(folder: Path) -> str | None:
    """By names: a list's file; Tiny-ImageNet's and ImageNet's own lists; two class folders with images; lists."""
    if folder.is_file():
        return "list" if folder.suffix.lower() in SUFFIXES else None
    if (folder / "val" / TINY).is_file():
        return "tiny_imagenet"
    if kit(folder):
        return "imagenet_val"
    place = folder / (split_name(folder, "train") or ".")
    names = {
        each.name.lower() for each in subfolders(place) if any(is_image(path.name) for path in each.rglob("[!.]*"))
    }
    if OTHERS & names:
        return None
    return "folders" if len(names) > 1 else "list" if list_files(folder) else None
