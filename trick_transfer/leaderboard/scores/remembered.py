"""Scores of resampled images are kept on disk: 4,500 runs are resampled in minutes, and read back in seconds."""

import os
import pickle
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from inspect import getfile
from pathlib import Path
from typing import Any, TypeVar

from trick_transfer.engine.files import cache_folder, write_whole
from trick_transfer.engine.receipt import ROOT
from trick_transfer.engine.stage import Stage
from trick_transfer.runs.identity import PACKAGES, fingerprint

LIBRARIES = ("numpy", "scipy", "pycocotools")
KEPT_DAYS = 100  # after the last use
T = TypeVar("T")


def remembered(measure: Callable[[], T], stage: Stage, *key: Any) -> T:
    """What `measure` returned of a stage under this key of JSON data, if the code was the same then; else what it
    returns now.

    What it raises is not kept; where the cache cannot be written, nothing is.
    """
    name = fingerprint([stage.name, *key, code(type(stage))])
    path = folder() / name[:2] / name
    with suppress(Exception):  # none is there, or a damaged one, which raises anything
        found = pickle.loads(path.read_bytes())
        os.utime(path)
        return found
    made = measure()
    with suppress(OSError):
        write_whole(path, lambda part: part.write_bytes(pickle.dumps(made)))
    return made


def forget() -> None:
    """Delete what was not used for KEPT_DAYS."""
    with suppress(OSError):
        for path in folder().glob("??/*"):
            if time.time() - path.stat().st_mtime > KEPT_DAYS * 86_400:
                path.unlink()


def folder() -> Path:
    """Where all is kept."""
    return cache_folder() / "scores"


@cache
def code(stage: type[Stage]) -> str:
    """A hash of all that can change a score beside the outputs: our code, the stage's, and what computes in it."""
    found = sha256(" ".join(map(version, LIBRARIES)).encode())
    ours = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    for path in sorted({*ours, *Path(getfile(stage)).parent.glob("*.py")}):  # the stage may be the user's
        found.update(path.read_bytes())
    return found.hexdigest()
