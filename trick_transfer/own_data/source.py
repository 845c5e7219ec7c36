"""What a tier says of own data, `source=dict(folder=..., format=..., ...)`, and what is found there."""

import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trick_transfer.engine.source import Found
from trick_transfer.engine.stage import Stage
from trick_transfer.engine.values import check_name

from .split import with_splits

DUPLICATES = ("error", "drop", "keep")
OPTIONS = {"val_percent": 20, "duplicates": DUPLICATES[0], "licence": "unknown"}  # beside folder, format and its own


@dataclass(frozen=True)
class Source:
    """A folder (or a list file), its format, that format's options, and OPTIONS.

    `val_percent` of the images are scored where the source has no split; `duplicates` says what to do with images that
    are in both splits: "error", "drop" from training, or "keep".
    """

    folder: Path
    format: str
    options: Mapping[str, Any]
    val_percent: float = OPTIONS["val_percent"]  # type: ignore[assignment]
    duplicates: str = DUPLICATES[0]
    licence: str = "unknown"

    @classmethod
    def of(cls, stage: Stage, stated: Mapping[str, Any], where: str, home: Path) -> "Source":
        """From a tier's words; a relative folder is beside the tier's file. Raises ValueError for a misspelt one."""
        if not stage.formats:
            raise ValueError(f"{where}: {stage.name} takes no data of your own")
        if missing := {"folder", "format"} - stated.keys():
            raise ValueError(f"{where} lacks {', '.join(sorted(missing))}; a source is dict(folder=..., format=...)")
        check_name(f"{where}: format", stated["format"], stage.formats)
        own = list(inspect.signature(stage.formats[stated["format"]]).parameters)[1:]
        for key in stated:
            check_name(f"{where}: option", key, ("folder", "format", *OPTIONS, *own))
        general = {key: stated[key] for key in OPTIONS if key in stated}
        source = cls(
            Path(os.path.normpath(home / stated["folder"])),
            stated["format"],
            {key: stated[key] for key in own if key in stated},
            **general,
        )
        check_name(f"{where}: duplicates", source.duplicates, DUPLICATES)
        if not 0 < source.val_percent < 100:
            raise ValueError(f"{where}: val_percent must be above 0 and below 100, got {source.val_percent!r}")
        return source

    def read(self, stage: Stage) -> Found:
        """What is there, each sample in its split. Raises OSError or ValueError for what is not of this format."""
        if not self.folder.exists():
            raise FileNotFoundError(f"{self.folder} does not exist; correct the folder of {stage.name}'s source")
        return with_splits(stage.formats[self.format](self.folder, **self.options), self.val_percent)

    def stated(self) -> dict[str, Any]:
        """As plain JSON data: equal for equal readings."""
        general = {"val_percent": self.val_percent, "duplicates": self.duplicates, "licence": self.licence}
        return {"folder": str(self.folder), "format": self.format, **general, "options": dict(self.options)}
