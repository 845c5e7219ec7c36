"""All runs that were begun under a work folder, by what their folders hold: no driver is asked."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from trick_transfer.engine.checkpoint import LATEST
from trick_transfer.engine.claim import holder

from .places import LOG
from .result import FILE_NAME

STATES = ("running", "done", "pending", "stopped", "failed")
RECEIPT, CLAIM = "config.json", ".*.claim"
LAST_BYTES = 4096  # of a log, in which its last line is
FAULT = re.compile(r"error: |[\w.]*(Error|Exception)\b")  # bad input's line, or a traceback's last one
PENDING = re.compile(r"job( \S+)? is (submitted|requeued)\b")


class Begun(NamedTuple):
    """A run's folder: work/TIER/ROW/seedN/STAGE; its state, who runs it, and what it said or wrote last."""

    folder: Path
    state: str  # of STATES; failed: an error ended it; pending: a cluster has it; stopped: the same command resumes
    who: str
    seconds: float  # since its last sign: the log's or the checkpoint's time
    said: str


def begun_under(work_dir: Path) -> Iterator[Begun]:
    """Each run, by tier, row, seed and stage. Older folders that a run with another config put aside are left out."""
    found = {path.parent for path in work_dir.glob(f"*/*/seed*/*/{RECEIPT}")}
    found |= {path.parent for path in work_dir.glob(f"*/*/seed*/*/{LOG}")}
    claims = work_dir.glob(f"*/*/seed*/{CLAIM}")
    found |= {path.with_name(path.name.removeprefix(".").removesuffix(".claim")) for path in claims}
    return (looked_at(folder) for folder in sorted(found) if "." not in folder.name)


def looked_at(folder: Path) -> Begun:
    """What a run's folder tells."""
    who = holder(folder)
    said = last_line(folder / LOG)
    ended = "failed" if FAULT.match(said) else "pending" if PENDING.match(said) else "stopped"
    state = "running" if who else "done" if (folder / FILE_NAME).is_file() else ended
    signs: list[float] = []
    for name in (LOG, LATEST, FILE_NAME, RECEIPT):
        with suppress(FileNotFoundError):  # a checkpoint goes when the run ends
            signs.append((folder / name).stat().st_mtime)
    return Begun(folder, state, who, max(0.0, time.time() - max(signs, default=time.time())), said)


def last_line(log: Path) -> str:
    """What a run said last; "" if it said nothing."""
    if not log.is_file():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LAST_BYTES))
        lines = file.read().decode("utf-8", "replace").replace("\r", "\n").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
