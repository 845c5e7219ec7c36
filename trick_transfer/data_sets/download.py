"""Downloads and unpacks what a data set lacks. Resumes interrupted downloads; checks a file before it gets its name.

No library does both: torchvision's and pooch's downloads start over, and torchvision's falls back to plain HTTP.
"""

import errno
import hashlib
import shutil
import ssl
import time
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import rich.progress
from rich.console import Console

from trick_transfer.engine.claim import alone

from .sources import Archive, DataSet, Part
from .unpack import unpack

TRIES = 5  # in a row without a new byte
WAIT_SECONDS = 1.0  # before the second try; doubled before each further one
TIMEOUT_SECONDS = 60.0  # of silence
CHUNK_BYTES = 1 << 20
BROKE_OFF = (URLError, ConnectionError, TimeoutError, HTTPException, ssl.SSLError)
MAY_PASS = {408, 429, 500, 502, 503, 504}  # RFC 9110: HTTP errors that may be temporary


def prepare(data_set: DataSet, root: Path, archives: Path) -> None:
    """Make `root` complete: fetch, check and unpack what it lacks, and leave complete parts alone.

    Raises ValueError or OSError of one line; finished work stays and is not repeated.
    """
    with alone(root):
        missing = [part for part in data_set.parts if problems(part, root)]
        if missing:
            print(f"{data_set.terms}\nThe archives' folder is {archives}.", flush=True)
        for part in data_set.parts:
            if part in missing:
                fill(part, root, archives)
            print(f"{root}: {', '.join(split.name for split in part.splits)} complete", flush=True)


def fill(part: Part, root: Path, archives: Path) -> None:
    """Fetch one part's archives and unpack its files. Raises ValueError if files are missing afterwards."""
    paths = [fetch(archive, archives) for archive in part.archives]
    written = unpack(paths[0], root, part.placing(paths))
    print(f"{paths[0]}: {written:,} files unpacked", flush=True)
    if wrong := problems(part, root):
        more = f" (and {len(wrong) - 1} more)" if wrong[1:] else ""
        raise ValueError(f"{paths[0]} is unpacked, but {wrong[0]}{more}")


def problems(part: Part, root: Path) -> list[str]:
    """The problems that show without reading the files."""
    return [line for split in part.splits for line in split.samples(root)[1]]


def fetch(archive: Archive, folder: Path) -> Path:
    """The archive in `folder`, downloaded unless it exists, with its checksum compared.

    Raises FileNotFoundError for one to be fetched by hand, ValueError for a wrong checksum, OSError for a full disk or
    a server that fails; received bytes are kept in `<name>.part`, and the next call resumes there.
    """
    path = folder / archive.name
    if path.is_file():
        if (found := checksum(path, archive)) != archive.checksum:
            raise ValueError(f"{path} has {found}, expected {archive.checksum}; move the damaged or wrong file away")
        return path
    if archive.folder is None:
        raise FileNotFoundError(f"{path} does not exist, and cannot be downloaded without an account; see above")
    part = folder / f"{archive.name}.part"
    download(archive.url, part)
    if (found := checksum(part, archive)) != archive.checksum:
        wrong = part.replace(folder / f"{archive.name}.wrong")  # kept for inspection, never resumed
        fix = f"moved to {wrong}; the same command starts over"
        raise ValueError(f"{archive.url} has {found}, expected {archive.checksum}; {fix}")
    return part.replace(path)


def checksum(path: Path, archive: Archive) -> str:
    """A file's checksum, with the archive's algorithm and in its notation."""
    algorithm = archive.checksum.split(":")[0]
    with rich.progress.open(path, "rb", description=f"checking {path.name}", console=Console(stderr=True)) as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"  # type: ignore[arg-type]


def download(url: str, part: Path) -> None:
    """Fill `part`; gives up after TRIES tries in a row without a new byte."""
    part.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    while True:
        before = size_bytes(part)
        try:
            return resume(url, part)
        except BROKE_OFF as error:
            if isinstance(error, HTTPError) and error.code not in MAY_PASS:
                raise OSError(f"{url}: {error}") from error
            failures = 1 if size_bytes(part) > before else failures + 1
            if failures == TRIES:
                kept = f"{size_bytes(part):,} bytes are kept in {part}"
                raise OSError(f"{url}: {error}; {kept}, the same command resumes there") from error
        time.sleep(WAIT_SECONDS * 2 ** (failures - 1))


def resume(url: str, part: Path) -> None:
    """One connection: request the missing bytes and append them. Raises one of BROKE_OFF if fewer arrive."""
    have = size_bytes(part)
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urlopen(request, timeout=TIMEOUT_SECONDS)
    except HTTPError as error:
        if error.code != 416:
            raise
        if error.headers.get("Content-Range", "") == f"bytes */{have}":  # complete
            return
        part.unlink()
        raise ConnectionError(f"{part.name} was longer than the file; the download starts over") from error
    with response:
        resumed = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        start = have if resumed else 0  # a server may send the whole file instead
        lacking = int(response.headers.get("Content-Length", 0))
        append(response, part, start, lacking)
    if size_bytes(part) < start + lacking:
        raise ConnectionError(f"the connection ended after {size_bytes(part):,} of {start + lacking:,} bytes")


def append(response: BinaryIO, part: Path, start: int, lacking: int) -> None:
    """Write received bytes to `part`, from byte `start` on. Raises OSError for a full disk, in advance if possible."""
    free = shutil.disk_usage(part.parent).free
    if free < lacking:
        raise OSError(errno.ENOSPC, f"{part.parent} has {free:,} bytes free, {part.name} needs {lacking:,} more")
    name = part.name.removesuffix(".part")
    reader = rich.progress.wrap_file(response, lacking, description=name, console=Console(stderr=True))
    try:
        with reader as source, part.open("ab") as file:
            file.truncate(start)
            shutil.copyfileobj(source, file, CHUNK_BYTES)
    except BROKE_OFF:
        raise
    except OSError as error:  # the disk's: another try would not help
        raise OSError(error.errno, f"{part} could not be written, received bytes are kept: {error.strerror}") from error


def size_bytes(path: Path) -> int:
    """The size of a file, 0 if it does not exist."""
    return path.stat().st_size if path.exists() else 0
