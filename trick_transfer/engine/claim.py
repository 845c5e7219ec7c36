"""A folder is written by one process at a time, on whichever host: NFS, too, where flock may hold nothing.

The claim on a folder F is the folder `.F.claim`, and in it one file that its holder's name is. It is made elsewhere and
renamed into place, which fails where another's file is. The holder touches its file. One that was not touched for
STALE_SECONDS, by the file system's own clock, or whose process is seen to be gone, is removed by whoever comes next: a
name is never used twice, so that very claim and no other is, and of all who come then one gets the place.
"""

import errno
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event, Thread
from typing import ParamSpec, TypeVar
from uuid import uuid4

from .processes import is_alive

BEAT_SECONDS, STALE_SECONDS = 20.0, 300.0
NUMBERS = Path("/proc/self/ns/pid")  # within which a process's number means the same, on one machine
BOOT = Path("/proc/sys/kernel/random/boot_id")  # of this machine: others may have its name
P = ParamSpec("P")
T = TypeVar("T")
TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
MOST_STALE = 20  # times in a row that NFS says so of a folder that others make and remove just now


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Claim a folder, which need not exist, until the end. Raises ValueError if another process has claimed it.

    A process that others took for gone, such as one that was stopped for long, is ended once it goes on.
    """
    mine, ended = take(folder), Event()
    Thread(target=keep, args=(mine, ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        with suppress(OSError):  # it is the next one's already; or left for it, where a server is away
            mine.unlink(missing_ok=True)
            mine.parent.rmdir()


def seen_fresh(look: Callable[P, T]) -> Callable[P, T]:
    """A look that is taken again where NFS remembers a folder that another host has removed, and made anew."""

    @wraps(look)
    def repeated(*args: P.args, **options: P.kwargs) -> T:
        for _ in range(MOST_STALE):
            try:
                return look(*args, **options)
            except OSError as error:
                if error.errno != errno.ESTALE:
                    raise
            time.sleep(0.05)
        return look(*args, **options)

    return repeated


@seen_fresh
def holder(folder: Path) -> str:
    """Who has claimed a folder, such as "process 12 on node3", or "". What one that is gone has left is removed."""
    with suppress(FileNotFoundError, PermissionError):  # it ends just now; another user's, to whom it is left
        for claim in [place(folder) / name for name in os.listdir(place(folder)) if name[:1].isdigit()]:  # no .nfs...
            pid, _, numbers, host = claim.name.split("_", 3)
            here = (numbers, host) == (space(), socket.gethostname())
            if (not here or is_alive(int(pid))) and clock(folder.parent) - claim.stat().st_mtime < STALE_SECONDS:
                return f"process {pid} on {host}"
            claim.unlink()
    return ""


@seen_fresh
def take(folder: Path) -> Path:
    """Make this process's claim, and return its file. Raises ValueError if another process has claimed the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    name = f"{os.getpid()}_{uuid4().hex[:12]}_{space()}_{socket.gethostname()}"
    made, mine = folder.with_name(f".{folder.name}.{name}"), place(folder) / name
    who = holder(folder)
    try:
        made.mkdir()
        (made / name).touch()
        if not who:
            made.rename(place(folder))
    except OSError as error:
        if error.errno not in TAKEN and not is_there(mine):  # NFS may ask again for what it has done
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
    if not is_there(mine):
        raise ValueError(f"another process writes {folder} ({who or holder(folder)}); wait for it")
    return mine


@seen_fresh
def is_there(path: Path) -> bool:
    """Whether a file exists."""
    return path.exists()


def keep(mine: Path, ended: Event) -> None:
    """Touch a claim until it ends; end this process if another one has it."""
    while not ended.wait(BEAT_SECONDS):
        try:
            os.utime(mine)
        except FileNotFoundError:
            if not ended.is_set():
                print(f"{mine.parent} is another process's now: this one stood still for long", file=sys.stderr)
                os.kill(os.getpid(), signal.SIGTERM)
                return
        except OSError:  # a server that is away for a while
            continue


def place(folder: Path) -> Path:
    """Where the claim on a folder is."""
    return folder.with_name(f".{folder.name}.claim")


def space() -> str:
    """The namespace of this process's number, a container's or the host's, and the machine since it was started."""
    numbers = "".join(filter(str.isdigit, os.readlink(NUMBERS))) if NUMBERS.is_symlink() else "0"
    return f"{numbers}-{BOOT.read_text()[:8]}" if BOOT.is_file() else numbers


def clock(folder: Path) -> float:
    """The time by the clock that stamps files in a folder, in seconds; this host's where nothing can be written."""
    try:
        with TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return time.time()
