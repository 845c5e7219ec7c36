"""Unpacks the files of a tar or zip, each to its place: only plain files, and none outside the folder.

Python's own filter handles neither zips nor tars within tars, so one rule covers all: anything but plain files and
folders, and every path that is absolute or contains `..`, in the archive or at its place, is an error that names it.
"""

import gzip
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

import rich.progress
from rich.console import Console

from trick_transfer.engine.files import brief

Place = Callable[[str], str]  # a file's path in the archive -> under the data's folder
CHUNK_BYTES = 1 << 20
Member = tuple[str, int, Callable[[], IO[bytes]]]  # path, bytes, open


class Refused(ValueError):
    """An archive that is whole, but holds what no data set needs."""


def unpack(archive: Path, root: Path, place: Place) -> int:
    """Write the archive's files under `root`; returns how many did not exist with the same size.

    Raises ValueError for a damaged archive or an unsafe path in it, OSError for a full disk.
    """
    written = 0
    with opened(archive) as files:
        for name, size_bytes, open_file in files:
            target = root / placed(archive, name, place)
            if not target.is_file() or target.stat().st_size != size_bytes:
                write(open_file, target, size_bytes)
                written += 1
    return written


def placed(archive: Path, name: str, place: Place) -> PurePosixPath:
    """A file's path under the data's folder. Raises ValueError for one that would leave it, or has no place there."""
    try:
        target = PurePosixPath(place(name))
    except LookupError:
        raise Refused(f"{archive} holds {name!r:.160}, which its lists do not name; do not use it") from None
    for path in (PurePosixPath(name), target):
        if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
            raise Refused(f"{archive} holds {name!r:.160}, which would lie outside its folder; do not use it")
    return target


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
            if archive.suffix == ".gz":
                check_gzip(file)
            yield in_zip(archive, file) if archive.suffix == ".zip" else in_tar(archive, file)
    except Refused:
        raise
    except Exception as error:  # of what is damaged, Python's readers and decompressors raise a dozen kinds
        if isinstance(error, OSError) and error.errno:  # the disk's
            raise
        cause = f"truncated, damaged, or of an unknown kind ({brief(error)})"
        raise ValueError(f"{archive} is {cause}; move it away and prepare again") from error


def check_gzip(file: BinaryIO) -> None:
    """Read a gzip to its checksum before anything in it is used: a tar ends before that."""
    with gzip.open(file) as content:
        while content.read(CHUNK_BYTES):
            pass
    file.seek(0)


def in_zip(archive: Path, file: BinaryIO) -> Iterator[Member]:
    """The plain files in a zip. Raises ValueError for links."""
    with zipfile.ZipFile(file) as folder:
        for info in folder.infolist():
            if stat.S_ISLNK(info.external_attr >> 16):
                raise Refused(f"{archive} holds {info.filename!r:.160}, which is a link")
            if not info.is_dir():
                yield info.filename, info.file_size, partial(folder.open, info)


def in_tar(archive: Path, file: BinaryIO, outer: bool = True) -> Iterator[Member]:
    """The plain files in a tar and the tars within the `outer` one. Raises ValueError for anything else."""
    with tarfile.open(fileobj=file, mode="r:gz" if outer and archive.suffix == ".gz" else "r:") as tape:
        while member := tape.next():
            tape.members.clear()  # type: ignore[attr-defined]  # a million of them would take a gigabyte
            is_tar = member.isfile() and member.name.endswith(".tar")
            if is_tar and outer:
                yield from in_tar(archive, extract(tape, member), outer=False)
            elif is_tar or not (member.isfile() or member.isdir()) or member.issparse():
                kind = "a link, a device, a sparse file, or a tar within a tar within the tar"
                raise Refused(f"{archive} holds {member.name!r:.160}, which is {kind}; do not use it")
            elif member.isfile():
                yield member.name, member.size, partial(extract, tape, member)


def extract(tape: tarfile.TarFile, member: tarfile.TarInfo) -> BinaryIO:
    """The content of a plain file."""
    return cast(BinaryIO, tape.extractfile(member))  # None is for folders and devices


def write(open_file: Callable[[], IO[bytes]], target: Path, size_bytes: int) -> None:
    """Copy one file to its place; it gets its name only once complete. Raises EOFError for another size than stated."""
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open_file() as source, part.open("wb") as file:
            shutil.copyfileobj(source, file)
        if part.stat().st_size != size_bytes:
            raise EOFError(f"{target.name} has {part.stat().st_size:,} bytes, {size_bytes:,} are stated")
        part.replace(target)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno:
            raise OSError(error.errno, f"{target} could not be written: {error.strerror}") from error
        raise
