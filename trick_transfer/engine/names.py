"""What the names of folders and files say, as publishers and tools for annotation choose them."""

import re
from hashlib import sha256
from pathlib import Path

BYTES = 8  # of a hash
SET_OF = {  # a word -> the set of images that it means; which sets are read is a format's matter
    **dict.fromkeys(("train", "training"), "train"),
    "trainval": "trainval",
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
# of a folder that tells only what it holds: photographs, or what belongs to them
IMAGES = ("image", "images", "img", "imgs", "jpegimages", "photos")
TRUTHS = (
    *("annotation", "annotations", "annot", "annots", "label", "labels", "labeled", "mask", "masks", "xml", "xmls"),
    *("gt", "groundtruth", "segmentation", "segmentations", "segmentationclass", "segmentationclasspng"),
)


def words_of(name: str) -> list[str]:
    """The words of a file's or folder's name."""
    return re.split(r"[_\-. ]+", name)


def plain(word: str) -> str:
    """A word as the lists above have it: Images2 is images."""
    return word.lower().rstrip("0123456789")


def set_of(word: str) -> str | None:
    """The set that a word means: train2017 -> train, Valid -> val; None for another word."""
    return SET_OF.get(plain(word))


def is_text(name: str) -> bool:
    """Whether a file's name could be read as UTF-8."""
    return name.encode("utf-8", "ignore").decode() == name


def in_its_folder(path: str | Path) -> str:
    """`<folder>/<file>`, the same wherever the data lie."""
    return "/".join(Path(path).parts[-2:])


def share(name: str) -> float:
    """A number in [0, 1), uniform over names, to split images by: it is the same on any machine."""
    return int.from_bytes(sha256(name.encode("utf-8", "surrogateescape")).digest()[:BYTES]) / 256**BYTES
