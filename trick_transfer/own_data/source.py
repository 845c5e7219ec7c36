"""What a tier says of own data, `source=dict(folder=..., format=..., ...)`, and what is found there."""

import inspect
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trick_transfer.engine.archives import is_archive
from trick_transfer.engine.images import SUFFIXES
from trick_transfer.engine.manifest import data_files
from trick_transfer.engine.source import LISTED, Found
from trick_transfer.engine.stage import Stage
from trick_transfer.engine.values import check_name

from .split import with_splits

NEEDED, GENERAL = (
    ("folder", "format"),
    ("val_percent", "duplicates", "lacking", "licence"),
)  # what a source takes of any format
DUPLICATES = ("error", "drop", "keep")
LACKING = ("error", "keep")


def held(folder: Path) -> str:
    """In words, the files in a folder or archive by their suffixes, the most frequent first."""
    names = [str(folder)] if folder.is_file() and not is_archive(folder) else data_files(folder)
    counts = Counter(Path(name).suffix.lower() or "without suffix" for name in names)
    there = ", ".join(f"{count:,} {suffix}" for suffix, count in counts.most_common(LISTED)) or "no file"
    return f"it holds {there}; images are {', '.join(SUFFIXES)}"


@dataclass(frozen=True)
class Source:
    """A folder (or a list file), its format, and that format's options.

    `val_percent` of the images are scored where the source has no split; `duplicates` says what to do with images that
    are in both splits: "error", "drop" from training, or "keep"; `lacking` what to do with classes that no image of a
    split shows: "error" or "keep"; `licence` is what receipts say.
    """

    folder: Path
    format: str
    options: Mapping[str, Any]
    val_percent: float = 20
    duplicates: str = DUPLICATES[0]
    lacking: str = LACKING[0]
    licence: str = "unknown"

    @classmethod
    def of(cls, stage: Stage, stated: Mapping[str, Any], where: str, home: Path) -> "Source":
        """From a tier's words; a relative folder is seen from `home`. Raises ValueError for a misspelt one."""
        if not stage.formats:
            raise ValueError(f"{where}: {stage.name} takes no data of your own")
        if missing := [key for key in NEEDED if key not in stated]:
            raise ValueError(f"{where} lacks {', '.join(missing)}; a source is dict(folder=..., format=...)")
        check_name(f"{where}: format", stated["format"], stage.formats)
        _, *own = (parameters := inspect.signature(stage.formats[stated["format"]]).parameters)
        for key in stated:
            check_name(f"{where}: option", key, (*NEEDED, *GENERAL, *own))
            kind, value = parameters[key].annotation if key in own else Any, stated[key]
            for kinds, word in (((str, str | None), "a text"), ((bool, bool | None), "True or False")):
                if kind in kinds and not isinstance(value, kind):
                    raise ValueError(f"{where}: {key} must be {word}, got {value!r}")
            if isinstance(value, dict) and not all(isinstance(each, str | int) for each in value):
                raise ValueError(f"{where}: the keys of {key} must be names or numbers, got {value!r:.80}")
        options, general = ({key: stated[key] for key in keys if key in stated} for keys in (own, GENERAL))
        if not isinstance(stated["folder"], str | Path):
            raise ValueError(f"{where}: folder must be a path, got {stated['folder']!r}")
        source = cls(Path(os.path.normpath(home / stated["folder"])), stated["format"], options, **general)
        check_name(f"{where}: duplicates", source.duplicates, DUPLICATES)
        check_name(f"{where}: lacking", source.lacking, LACKING)
        if not isinstance(source.val_percent, int | float) or not 0 < source.val_percent < 100:
            raise ValueError(f"{where}: val_percent must be above 0 and below 100, got {source.val_percent!r}")
        return source

    @classmethod
    def recognised(cls, stage: Stage, folder: Path) -> "Source":
        """A folder for a stage, by the names in it. Raises ValueError with the formats for one of none."""
        if not folder.exists():
            raise FileNotFoundError(f"--{stage.name} {folder} does not exist")
        if is_archive(folder) and not stage.trains_backbone:
            raise ValueError(
                f"--{stage.name} {folder} is an archive, which only class folders are read from; unpack it"
            )
        name = stage.recognise(folder)
        if stage.formats and not name:
            raise ValueError(
                f"--{stage.name} {folder} looks like none of the formats {', '.join(stage.formats)} ({held(folder)}); "
                f"name one in a tier's file ({stage.name} = dict(source=dict(folder=..., format=...)), docs/data.md)"
            )
        return cls.of(stage, dict(folder=folder.absolute(), format=name), f"--{stage.name} {folder}", Path())

    def read(self, stage: Stage) -> Found:
        """What is there, each sample in its split. Raises OSError or ValueError for what is not of this format."""
        if not self.folder.exists():
            raise FileNotFoundError(f"{self.folder} does not exist; correct the folder of {stage.name}'s source")
        try:
            found = stage.formats[self.format](self.folder, **self.options)
        except ValueError as error:
            where = f"{stage.name} = dict(source=dict(folder=..., format={self.format!r}, ...))"
            raise ValueError(f"{error} (options stand in a tier's file, {where}: docs/data.md)") from error
        return with_splits(found, self.val_percent)

    def stated(self) -> dict[str, Any]:
        """As plain JSON data: equal for equal readings."""
        return json.loads(json.dumps(asdict(self), default=str))
