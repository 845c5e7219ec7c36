"""Files in a .tar or .zip, read where they lie, without unpacking: a path may lead through an archive.

`flowers.tar/rose/1.jpg`, or a link to it, is the member rose/1.jpg of flowers.tar. A tar in a tar is a folder of its
name without suffix: ImageNet-1k has one for each class. Where each member lies is found out once, and kept in the
user's cache folder. Any number of threads and processes may read: a read has its position with it.
"""

import json
import os
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, cached_property
from io import BytesIO
from math import inf
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from tarfile import BLOCKSIZE
from typing import BinaryIO, NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from .files import brief, cache_of, write_whole

INDEX = "index.json"  # of an archive, in the cache
SUFFIXES = (".tar", ".zip")
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")
ZIP_HEADER, ZIP_LENGTHS = 30, slice(26, 30)  # bytes before a member's name; where the name's and the extra length are
ENCRYPTED = 1  # a bit of a zip's flags
KNOWN: dict[str, tuple[str, str]] = {}  # of an absolute folder the archive that it is in, and its path there


class Member(NamedTuple):
    """Where a file's bytes begin, how many they are, and how many are stored of a deflated one (0: it is not)."""

    offset: int
    size: int
    deflated: int = 0


class Archive:
    """An archive's visible files by name, with forward slashes; the last one of a name counts. Raises ValueError."""

    def __init__(self, path: str) -> None:
        self.path, self.members = path, stored_index(path)

    @cached_property
    def folders(self) -> dict[str, list[str]]:
        """The names directly in each folder, files and folders, sorted; "" is the archive itself."""
        found: dict[str, set[str]] = {"": set()}
        for name in self.members:
            while name:
                folder, _, last = name.rpartition("/")
                found.setdefault(folder, set()).add(last)
                name = folder
        return {folder: sorted(names) for folder, names in found.items()}

    @cached_property
    def handle(self) -> int:
        """Open for reading at any place."""
        return os.open(self.path, os.O_RDONLY)

    def read(self, name: str) -> bytes:
        """A member's bytes. Raises FileNotFoundError, or ValueError for one that is cut or damaged."""
        if name not in self.members:
            raise FileNotFoundError(f"{self.path} holds no {name}")
        member = self.members[name]
        count = member.deflated or member.size
        stored = os.pread(self.handle, count, member.offset)
        try:
            if len(stored) < count:
                raise ValueError("it is cut")
            return zlib.decompress(stored, -zlib.MAX_WBITS) if member.deflated else stored
        except (ValueError, zlib.error) as fault:
            raise ValueError(f"{self.path}/{name} is damaged: {fault}; replace the archive") from None


def stored_index(path: str) -> dict[str, Member]:
    """The members of an archive: as they are kept, if it has not changed since; else found out, and kept."""
    status, kept = os.stat(path), cache_of(Path(path)) / INDEX
    state = [status.st_size, status.st_mtime_ns]
    try:
        held = json.loads(kept.read_text("utf-8"))
        if held["state"] == state:
            return {name: Member(*member) for name, member in held["members"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # there is none, or not of this version
    found = {name: member for each, member in scan(path) if (name := visible(each))}
    with suppress(OSError):  # then it is found out again
        write_whole(kept, lambda part: part.write_text(json.dumps({"state": state, "members": found}), "utf-8"))
    return found


def visible(name: str) -> str:
    """A member's name without "." in it; empty for one that is hidden, or leads out of the archive."""
    parts = PurePosixPath(name.lstrip("/")).parts
    return "" if any(part[0] == "." for part in parts) else "/".join(parts)


def scan(path: str) -> Iterator[tuple[str, Member]]:
    """Name and place of each file in an archive. Raises ValueError for one that cannot be read."""
    try:
        if path.lower().endswith(".zip"):
            yield from scan_zip(path)
        else:
            with open(path, "rb") as file:
                yield from scan_tar(file)
    except (tarfile.TarError, BadZipFile, EOFError) as fault:
        raise ValueError(f"{path} is no whole {path[-3:].lower()} archive: {brief(fault)}; replace it") from None


def scan_tar(file: BinaryIO, above: str = "", end: float = inf) -> Iterator[tuple[str, Member]]:
    """The files of the tar that begins where `file` stands, and of the tars in it."""
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for info in tar:
            name, place = above + info.name, info.offset_data
            if place >= end:  # of a tar in a tar that lacks the zeros at its end
                return
            if info.issparse():
                raise tarfile.TarError(f"{name} is sparse")
            if info.isreg() and name.lower().endswith(".tar"):
                with open(file.name, "rb") as inner:
                    inner.seek(place)
                    yield from scan_tar(inner, f"{name[:-4]}/", place + info.size)
            elif info.isreg():
                yield name, Member(place, info.size)
            tar.members = []  # type: ignore[attr-defined]  # of a million files it would keep all
        file.seek(tar.offset)
        if end == inf and any(file.read(BLOCKSIZE) or b"cut"):  # tarfile takes the rest of a header for the end, too
            raise tarfile.TarError("it is cut, the zeros at its end are missing")


def scan_zip(path: str) -> Iterator[tuple[str, Member]]:
    """The files of a zip."""
    with ZipFile(path) as folder, open(path, "rb") as file:
        for info in folder.infolist():
            if info.is_dir():
                continue
            if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or info.flag_bits & ENCRYPTED:
                raise BadZipFile(f"{info.filename} is encrypted, or compressed in another way than deflate")
            file.seek(info.header_offset)
            lengths = file.read(ZIP_HEADER)[ZIP_LENGTHS]
            name, extra = (int.from_bytes(lengths[i : i + 2], "little") for i in (0, 2))
            start = info.header_offset + ZIP_HEADER + name + extra
            deflated = info.compress_size if info.compress_type == ZIP_DEFLATED else 0
            yield info.filename, Member(start, info.file_size, deflated)


@cache
def opened(path: str, state: tuple[int, int]) -> Archive:
    """An archive in this `state`, its size and time of change."""
    return Archive(path)


def is_archive(path: str | Path) -> bool:
    """Whether a path is a .tar or .zip file. Raises ValueError for a tar that is compressed as a whole."""
    name = str(path).lower()
    if name.endswith(COMPRESSED) and os.path.isfile(path):
        raise ValueError(f"{path} is compressed as a whole, so that no image can be read alone; make it a plain .tar")
    return name.endswith(SUFFIXES) and os.path.isfile(path)


def inside(path: str | Path) -> tuple[Archive, str] | None:
    """The archive that a path, or a link, leads into, and the rest of the path, "" for the archive itself; or None.

    Raises ValueError for an archive that cannot be read.
    """
    target = os.readlink(path) if os.path.islink(path) else os.fspath(path)
    folder, name = os.path.split(target)
    if place := KNOWN.get(folder):  # of a million links: not each component of each one's path is looked at
        with suppress(OSError):
            return archive_at(place[0]), f"{place[1]}/{name}".lstrip("/")
    real = above = os.path.realpath(path)
    while not os.path.exists(above):
        above = os.path.dirname(above)
    if not is_archive(above):
        return None
    rest = real[len(above) + 1 :]
    if rest and os.path.isabs(folder):
        KNOWN[folder] = above, os.path.dirname(rest)
    return archive_at(above), rest


def archive_at(path: str) -> Archive:
    """The archive at a path, as it is now. Raises OSError, or ValueError for one that cannot be read."""
    status = os.stat(path)
    return opened(path, (status.st_size, status.st_mtime_ns))


def is_dir(path: str | Path) -> bool:
    """Whether a path is a folder, an archive, or a folder in one."""
    return os.path.isdir(path) or ((found := inside(path)) is not None and found[1] in found[0].folders)


def file_status(path: str | Path) -> os.stat_result | None:
    """That of a file, or of the archive that it lies in; None for what is no file, or a device or pipe."""
    try:
        status = os.stat(path)
        return status if S_ISREG(status.st_mode) else None
    except NotADirectoryError:
        found = inside(path)
        return os.stat(found[0].path) if found and found[1] in found[0].members else None
    except OSError:
        return None


def names_in(folder: str | Path) -> list[str]:
    """The names in an archive, or in a folder in one, sorted; none for what is neither."""
    found = inside(folder)
    return found[0].folders.get(found[1], []) if found else []


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder or an archive, sorted, without hidden ones."""
    if folder.is_dir():
        return sorted(each for each in folder.glob("[!.]*") if each.is_dir())
    return [path for path in (folder / name for name in names_in(folder)) if is_dir(path)]


def top(folder: Path) -> Path:
    """Of an archive the folder that tells things apart: many begin with one that holds all. Another path as it is."""
    while is_archive(folder) or not folder.exists():
        inner = subfolders(folder)
        if len(inner) != 1 or not subfolders(inner[0]):
            break
        folder = inner[0]
    return folder


def files_below(folder: str | Path) -> tuple[list[str], int]:
    """The files in an archive, or in a folder in one, by their paths below it; and the archive's ctime in ns.

    Raises NotADirectoryError for what is neither.
    """
    if not (found := inside(folder)):
        raise NotADirectoryError(f"{folder} is no folder, .tar or .zip")
    archive, start = found[0], found[1] + "/" * bool(found[1])
    names = [name.removeprefix(start) for name in archive.members if name.startswith(start)]
    return names, os.stat(archive.path).st_ctime_ns


def stream(path: str | Path) -> BinaryIO:
    """A file, or one in an archive, open for reading. Raises OSError, or ValueError for a damaged archive."""
    try:
        return open(path, "rb")
    except NotADirectoryError:
        if found := inside(path):
            return BytesIO(found[0].read(found[1]))
        raise


def read(path: str | Path) -> bytes:
    """The bytes of a file, or of one in an archive. Raises as `stream` does."""
    with stream(path) as file:
        return file.read()


def size(path: str | Path) -> int:
    """The number of bytes of a file, or of one in an archive."""
    found = None if os.path.exists(path) else inside(path)
    return found[0].members[found[1]].size if found else os.path.getsize(path)
