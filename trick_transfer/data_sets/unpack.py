"""Unpacks the files of a tar or zip, each to its place: only plain files, and none outside the folder.

Python's own filter handles neither zips nor tars within tars, so one rule covers all: anything but plain files and
folders, and every path that is absolute or contains `..`, is an error that names it.
"""

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

import rich.progress
from rich.console import Console

Place = Callable[[str], str]  # a file's path in the archive -> under the data's folder
Member = tuple[str, int, Callable[[], IO[bytes]]]  # path, bytes, open
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error)


def unpack(archive: Path, root: Path, place: Place) -> int:
    """Write the archive's files under `root`; returns how many did not exist with the same size.

    Raises ValueError for a damaged archive or an unsafe path in it, OSError for a full disk.
    """
    written = 0
    with opened(archive) as files:
        for name, size_bytes, open_file in files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"{archive} holds {name!r}, which would lie outside its folder; do not use it")
            target = root / place(name)
            if not target.is_file() or target.stat().st_size != size_bytes:
                write(open_file, target)
                written += 1
    return written


def read(archive: Path, names: set[str]) -> dict[str, bytes]:
    """The content of an archive's files of these names, in any folder. Raises ValueError if one is missing."""
    with opened(archive) as files:
        named = ((PurePosixPath(path).name, open_file) for path, _, open_file in files)
        found = {name: open_file().read() for name, open_file in named if name in names}
    if found.keys() != names:
        raise ValueError(f"{archive} holds no {', '.join(sorted(names - found.keys()))}")
    return found


@contextmanager
def opened(archive: Path) -> Iterator[Iterator[Member]]:
    """Every file of an archive; damage raises ValueError that names the archive. Progress is in bytes read."""
    console = Console(stderr=True)
    try:
        with rich.progress.open(archive, "rb", description=f"reading {archive.name}", console=console) as file:
            yield members(archive.name, file)
    except DAMAGED as error:
        raise ValueError(f"{archive} is truncated or damaged ({error}); move it away and prepare again") from error


def members(archive: str, file: BinaryIO) -> Iterator[Member]:
    """The plain files in a zip, or in a tar and the tars within it. Raises ValueError for links and devices."""
    if archive.endswith(".zip"):
        with zipfile.ZipFile(file) as folder:
            for info in folder.infolist():
                if stat.S_ISLNK(info.external_attr >> 16):
                    raise ValueError(f"{archive} holds {info.filename!r}, which is a link")
                if not info.is_dir():
                    yield info.filename, info.file_size, partial(folder.open, info)
        return
    with tarfile.open(fileobj=file, mode="r:gz" if archive.endswith(".gz") else "r:") as tape:
        while member := tape.next():
            tape.members.clear()  # type: ignore[attr-defined]  # a million of them would take a gigabyte
            if member.isfile() and member.name.endswith(".tar"):
                yield from members(member.name, extract(tape, member))
            elif member.isfile():
                yield member.name, member.size, partial(extract, tape, member)
            elif not member.isdir():
                raise ValueError(f"{archive} holds {member.name!r}, which is a link or a device")


def extract(tape: tarfile.TarFile, member: tarfile.TarInfo) -> BinaryIO:
    """The content of a plain file."""
    return cast(BinaryIO, tape.extractfile(member))  # None is for folders and devices


def write(open_file: Callable[[], IO[bytes]], target: Path) -> None:
    """Copy one file to its place; it gets its name only once complete."""
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open_file() as source, part.open("wb") as file:
            shutil.copyfileobj(source, file)
        part.replace(target)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno:
            raise OSError(error.errno, f"{target} could not be written: {error.strerror}") from error
        raise
