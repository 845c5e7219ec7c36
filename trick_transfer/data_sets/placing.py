"""Where the files of each archive go, in the layout that our readers take. Archives: as torchvision reads them."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from classification.flat_val import META, TINY, TRUTH, validation_classes

from .unpack import Place, read

Placing = Callable[[list[Path]], Place]  # a part's archives -> where the first one's files go


def as_is(archives: list[Path]) -> Place:
    """VOC and ADE20K: VOCdevkit/..., ADEChallengeData2016/..."""
    return lambda name: name


def imagenet_train(archives: list[Path]) -> Place:
    """n01440764_10026.JPEG, from n01440764.tar within the tar -> train/n01440764/."""
    return lambda name: f"train/{name.split('_')[0]}/{name}"


def imagenet_val(archives: list[Path]) -> Place:
    """ILSVRC2012_val_00000001.JPEG -> val/<its class>/; the devkit, the second archive, lists the classes."""
    texts = read(archives[1], {TRUTH, META})
    classes = validation_classes(texts[TRUTH], texts[META])
    return lambda name: f"val/{classes[PurePosixPath(name).stem[-8:]]}/{PurePosixPath(name).name}"


def places_train(archives: list[Path]) -> Place:
    """data_256/b/bakery/shop/00000001.jpg -> train/bakery-shop/."""
    return lambda name: f"train/{places_class(PurePosixPath(name).parts[1:-1])}/{PurePosixPath(name).name}"


def places_val(archives: list[Path]) -> Place:
    """val_256/Places365_val_00000001.jpg -> val/<its class>/; the second archive lists the classes."""
    labels, names = "places365_val.txt", "categories_places365.txt"
    texts = {name: text.decode() for name, text in read(archives[1], {labels, names}).items()}
    rows = (line.split() for line in texts[names].splitlines())  # /b/bakery/shop 31
    class_of = {number: places_class(PurePosixPath(path).parts[1:]) for path, number in rows}
    label_of = dict(line.split() for line in texts[labels].splitlines())  # Places365_val_00000001.jpg 165
    return lambda name: f"val/{class_of[label_of[PurePosixPath(name).name]]}/{PurePosixPath(name).name}"


def places_test(archives: list[Path]) -> Place:
    """test_256/Places365_test_00000001.jpg -> test/; its classes are not published."""
    return lambda name: f"test/{PurePosixPath(name).name}"


def tiny_imagenet(archives: list[Path]) -> Place:
    """tiny-imagenet-200/train/<class>/images/* -> train/<class>/; val/images/* -> val/<class>/, as its list says."""
    rows = read(archives[0], {TINY})[TINY].decode().splitlines()
    class_of = {name: label for name, label, *_ in (row.split("\t") for row in rows)}  # val_0.JPEG n03444034 0 32 44 62

    def place(name: str) -> str:
        *folders, file = PurePosixPath(name).parts[1:] or (".",)
        if "images" in folders:
            folders = [folders[0], class_of[file]] if file in class_of else folders[:-1]
        return "/".join([*folders, file])

    return place


def places_class(parts: tuple[str, ...]) -> str:
    """("b", "bakery", "shop") -> bakery-shop. Sorted, these names are in the order of the official numbers."""
    return "-".join(parts[1:])
