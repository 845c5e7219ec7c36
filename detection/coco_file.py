"""A COCO JSON: which one holds a set, where its images are, and its objects."""

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from pydantic import BaseModel, ValidationError

from trick_transfer.engine.fields import parse
from trick_transfer.engine.files import read_text
from trick_transfer.engine.manifest import data_files
from trick_transfer.engine.source import listed

from .annotation import NO_SIZE, TURNED, Annotation, pixels_of
from .sets import named_set
from .voc_folder import key_of

MARKS = ("instances_", "coco")  # in the names of COCO's JSONs of boxes, and of exports
WRONG = 3  # fields in an error's one line


class Image(BaseModel):
    """An entry of `images`."""

    id: int
    file_name: str
    width: int = 0
    height: int = 0

    @property
    def path(self) -> str:
        """The file's name with forward slashes, wherever it was written."""
        return self.file_name.replace("\\", "/")


class Thing(BaseModel):
    """An entry of `annotations`; bbox: x, y, width, height in pixels from 0."""

    id: int | None = None
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    iscrowd: bool = False

    def stated(self, name: str) -> dict[str, Any]:
        """As an object of an `Annotation`: a box includes its last pixel, and has at least one where it has an area."""
        x, y, width, height = self.bbox
        far = [start + (max(side - 1, 0) if side > 0 else side - 1) for start, side in ((x, width), (y, height))]
        said = f"[{', '.join(f'{side:g}' for side in self.bbox)}] of annotation {self.id}"
        return {"bbox": [x, y, *far], "name": name, "difficult": 0, "crowd": self.iscrowd, "said": said}


class Category(BaseModel):
    """An entry of `categories`."""

    id: int
    name: str


class Coco(BaseModel):
    """A COCO JSON of objects with boxes."""

    images: list[Image]
    annotations: list[Thing]
    categories: list[Category]

    @property
    def names(self) -> dict[int, str]:
        """The categories by id, in the order of ids."""
        return {each.id: each.name.strip() for each in sorted(self.categories, key=lambda each: each.id)}

    def problems(self) -> Iterator[str]:
        """Ids that occur twice or do not exist."""
        ids = {"image": [each.id for each in self.images], "category": [each.id for each in self.categories]}
        for what, some in ids.items():
            yield from (f"{what} id {each} occurs {times} times" for each, times in Counter(some).items() if times > 1)
        known = {what: set(some) for what, some in ids.items()}
        for thing in self.annotations:
            for what, wanted in (("image", thing.image_id), ("category", thing.category_id)):
                if wanted not in known[what]:
                    yield f"annotation {thing.id} is of {what} {wanted}, which does not exist; remove or correct it"

    def shared_names(self) -> Iterator[str]:
        """What is told of categories that have one name."""
        ids: dict[str, list[int]] = {}
        for number, name in self.names.items():
            ids.setdefault(name, []).append(number)
        for name, some in ids.items():
            if some[1:]:
                yield f"categories {listed(map(str, some))} are all called {name!r}, and are one class"

    def objects(self) -> dict[int, list[dict[str, Any]]]:
        """Those of each image, by its id."""
        names = self.names
        found: dict[int, list[dict[str, Any]]] = {each.id: [] for each in self.images}
        for thing in self.annotations:
            if thing.image_id in found and thing.category_id in names:
                found[thing.image_id].append(thing.stated(names[thing.category_id]))
        return found


def read_coco(path: Path) -> Coco:
    """A COCO JSON. Raises FileNotFoundError, or ValueError that names the file and its first wrong fields."""
    text = read_text(path)
    try:
        return Coco.model_validate(parse(text))
    except ValidationError as fault:
        wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in fault.errors()[:WRONG]]
        rest = f" (and {fault.error_count() - WRONG:,} more)" if fault.error_count() > WRONG else ""
        raise ValueError(f"{path} is no COCO JSON of boxes: {'; '.join(wrong)}{rest}") from None
    except ValueError as fault:
        raise ValueError(f"{path} is no JSON: {fault}") from None


def find_jsons(folder: Path, train: str | None, val: str | None) -> dict[str, Path]:
    """The JSON of each set, by its own name or its folder's; or those that `train` and `val` name.

    Raises ValueError where two are of one set, or none is there.
    """
    if named := [each for each in (train, val) if each and each.endswith(".json")]:
        return {each: folder / each for each in named}
    if folder.is_file():
        return {folder.stem: folder}
    found: dict[str, Path] = {}
    for path in (folder / name for name in coco_names(data_files(folder))):
        name = named_set(path.stem) or named_set(path.parent.name) or path.stem
        if name in found:
            both = f"{found[name]} and {path} are both {name}"
            raise ValueError(f"{both}; say which with train='FILE.json' and val='FILE.json'")
        found[name] = path
    if not found:
        raise ValueError(
            f"{folder} holds no .json file; expected annotations/instances_train.json, or one beside images"
        )
    return found


def coco_names(names: Collection[str]) -> list[str]:
    """Of files the COCO JSONs: those with the beginning that COCO gives them, or its name in theirs; else all JSONs."""
    jsons = sorted(name for name in names if name.lower().endswith(".json"))
    for mark in MARKS:
        if marked := [name for name in jsons if mark in PurePosixPath(name).name.lower()]:
            return marked
    return jsons


class CocoPart:
    """A JSON and its images: `images` and `things` (objects) by key, an image's path without folders that only hold."""

    def __init__(self, folder: Path, path: Path, images: str | None) -> None:
        self.path, self.coco = path, read_coco(path)
        home = folder if folder.is_dir() else folder.parent
        self.base = home / images if images else self.usual_base(home)
        self.problems = [f"{path}: {line}" for line in self.coco.problems()]
        self.images: dict[str, Path] = {}
        self.entries: dict[str, Image] = {}
        for entry in self.coco.images:
            image = self.base / entry.path
            absolute = any(kind(entry.path).is_absolute() for kind in (Path, PureWindowsPath))
            if images and absolute and not image.is_file():  # of another machine
                image = self.base / Path(entry.path).name
            key = key_of(PurePosixPath(image.relative_to(home) if image.is_relative_to(home) else entry.path))
            if key in self.images:
                self.problems.append(f"{path}: two entries are of {image}, or of one name; remove or rename one")
            self.images[key], self.entries[key] = image, entry
        self.things = self.coco.objects()

    def usual_base(self, home: Path) -> Path:
        """The first likely folder that holds any of the images, or else the JSON's own."""
        name, above = self.path.stem.removeprefix("instances_"), self.path.parent
        likely = [above, home, above / "images", home / "images", home / name, home / "images" / name]
        names = [entry.path for entry in self.coco.images]
        return next((each for each in likely if any((each / name).is_file() for name in names)), above)

    def annotation(self, key: str, stored: tuple[int, int]) -> Annotation:
        """An image's objects as stated. Raises ValueError for an image of another size than stated."""
        entry, where = self.entries[key], f"{self.path}: {self.entries[key].file_name}"
        stated = (entry.width, entry.height)
        try:
            width, height = pixels_of(stated, self.images[key], stored)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        odd = {NO_SIZE: stated == (0, 0), TURNED: (width, height) != stored}
        return Annotation(where, width, height, self.things[entry.id], tuple(each for each in odd if odd[each]))
