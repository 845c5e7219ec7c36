"""The files of VOC data: images and XMLs are paired by their names, wherever the folders that hold them are."""

import re
from pathlib import Path, PurePosixPath

from trick_transfer.engine.images import is_image
from trick_transfer.engine.manifest import data_files
from trick_transfer.engine.names import IMAGES, TRUTHS
from trick_transfer.engine.source import listed

from .layout import read_list
from .sets import named_set

NO_PHOTOS = (*TRUTHS, "segmentationobject", "segmentationclassaug")  # folders of XMLs and masks
HOLDERS = ("vocdevkit", *IMAGES, *TRUTHS)  # they do not tell images apart
LISTS = "ImageSets/Main"
COLUMN = re.compile(r"\s+(-1|0|1)$")  # of VOC's lists for one class: absent, only difficult ones, present


def key_of(path: PurePosixPath) -> str:
    """A path without suffix and without the folders that only say what they hold."""
    return "/".join([*(part for part in path.parent.parts if part.lower() not in HOLDERS), path.stem])


class VocFolder:
    """`images` and `xmls` by key (see `key_of`), `sets` of keys, the list that names a key, and `problems`.

    `told`: of lists in other places, which are not read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images: dict[str, Path] = {}
        self.xmls: dict[str, Path] = {}
        self.lists: dict[str, Path] = {}
        self.problems: list[str] = []
        paths = [PurePosixPath(name) for name in sorted(data_files(folder))]
        for path in paths:
            above = {part.lower() for part in path.parts[:-1]}
            if path.suffix.lower() == ".xml":
                self.put(self.xmls, path)
            elif is_image(path.name) and above.isdisjoint(NO_PHOTOS):
                self.put(self.images, path)
        self.names = self.images.keys() | self.xmls.keys()
        texts = [path for path in paths if path.suffix == ".txt"]
        lists = [path for path in texts if path.parent.as_posix().endswith(LISTS)]
        self.sets = self.sets_of_lists(lists) or self.sets_of_folders()
        spare = [str(path) for path in texts if named_set(path.stem) and "ImageSets" not in path.parts]
        self.told = [f"not read, as lists of sets are those in {LISTS}: {listed(spare)}"] * bool(spare)

    def put(self, files: dict[str, Path], path: PurePosixPath) -> None:
        """Add a file under its key, which no other has."""
        file = self.folder / path
        if (other := files.setdefault(key_of(path), file)) != file:
            self.problems.append(f"{other} and {file} have one name; remove or rename one of them")

    def sets_of_lists(self, lists: list[PurePosixPath]) -> dict[str, set[str]]:
        """By ImageSets/Main, of all years together. Lists for one class count where no other is."""
        sets: dict[str, set[str]] = {}
        for path in lists:
            name = named_set(path.stem)
            if name and (path.stem == name or path.with_stem(name) not in lists):
                keys = self.listed(path)
                sets.setdefault(name, set()).update(keys)
                self.lists |= dict.fromkeys(keys, self.folder / path)
        return sets

    def sets_of_folders(self) -> dict[str, set[str]]:
        """By folders like train and valid; none where there is only one."""
        sets: dict[str, set[str]] = {}
        for key in self.names:
            if name := next(filter(None, map(named_set, key.split("/")[:-1])), None):
                sets.setdefault(name, set()).add(key)
        return sets if len(sets) > 1 else {}

    def listed(self, path: PurePosixPath) -> list[str]:
        """The keys in a list, which names images without folders; with VOC's column of -1, 0, 1 or without."""
        above = key_of(path.parents[2] / "-")[:-1]
        try:
            keys = [above + line for line in read_list(self.folder / path)]
        except ValueError as error:
            self.problems.append(str(error))
            return []
        has_column = self.names.isdisjoint(keys) and all(map(COLUMN.search, keys))
        return [COLUMN.sub("", key) for key in keys] if has_column else keys
