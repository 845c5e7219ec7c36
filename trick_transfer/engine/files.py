"""Files are written whole or not at all."""

import codecs
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from glob import escape
from hashlib import file_digest, sha256
from math import prod
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from safetensors.torch import save
from torch import Tensor

from .weights import check_values

MOST_BYTES = 1 << 30  # of all arrays in an .npz together; ADE20K's outputs have 4 MB
PLAIN = "biufU"  # kinds of NumPy's types: booleans, numbers, text
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def write_whole(path: str | Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a file beside `path`, then rename it; an OSError names the file, and an older one is kept."""
    path = Path(path)
    try:
        with part_of(path) as part:
            write(part)
            with part.open("rb") as written:
                os.fsync(written.fileno())
            os.replace(part, path)
    except OSError as error:
        raise OSError(error.errno, f"{path} could not be written, an older file is kept: {error.strerror}") from error


@contextmanager
def part_of(path: Path, folder: bool = False) -> Iterator[Path]:
    """An empty file or folder beside a path, where its content is made; gone afterwards, if it was not renamed.

    Its writer holds its lock, which ends with the process, on any host. What nobody has locked, a killed writer left:
    the next writer of the path removes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{escape(path.name)}.*.part"):
        with suppress(OSError):  # another writer's, or a file system without locks
            handle = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(left)
            finally:
                os.close(handle)
    part = path.with_name(f".{path.name}.{uuid4().hex[:12]}.part")  # two hosts have equal process numbers
    handle = claim(part, folder)
    try:
        yield part
    finally:
        os.close(handle)
        remove(part)


def claim(part: Path, folder: bool) -> int:
    """Make a part and lock it; again, where another writer took it for a left one in between. Returns its handle."""
    while True:
        part.mkdir(exist_ok=True) if folder else part.touch()
        with suppress(FileNotFoundError):
            handle = os.open(part, os.O_RDONLY)
            with suppress(OSError):  # a file system without locks: nothing is removed there
                fcntl.flock(handle, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), part.stat()):
                    return handle
            os.close(handle)


def cache_folder() -> Path:
    """The folder for what can be computed again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "trick-transfer")


def cache_of(path: Path) -> Path:
    """A folder for what is known of a file or folder beside which nothing can, or should, be written."""
    return cache_folder() / sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def remove(part: Path) -> None:
    """Delete a file or folder, if it is there."""
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)


def read_text(path: Path) -> str:
    """A text of anyone's: in UTF-8, or in UTF-16 with its mark. Raises FileNotFoundError, or ValueError for others."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    content = path.read_bytes()
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8; save it in that encoding") from None


def text_lines(path: Path) -> list[str]:
    """The lines of `read_text` without spaces at their ends; empty ones are left out."""
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def file_sha256(path: str | Path) -> str:
    """The sha256 of a file of any size, in hex. Raises OSError; a pipe, too, which would have it wait, is refused."""
    if Path(path).is_fifo():
        raise OSError(f"{path} is a pipe, not a file")
    with Path(path).open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def write_tensors(path: str | Path, state: Mapping[str, Tensor]) -> None:
    """Write a state dict as .safetensors, from any device and memory format. Raises ValueError for NaN or infinity."""
    check_values(state, path)
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    write_whole(path, lambda part: part.write_bytes(save(plain)))


def write_arrays(path: str | Path, arrays: Mapping[str, Any]) -> None:
    """Write NumPy arrays as a compressed .npz."""

    def save(part: Path) -> None:
        with part.open("wb") as file:  # given a path, NumPy would add a suffix
            np.savez_compressed(file, allow_pickle=False, **arrays)

    write_whole(path, save)


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz from anyone. Raises OSError, or ValueError of one line for a file that is not sound.

    What an array's header claims is compared with the zip's own statement before any memory is taken for it.
    """
    try:
        with ZipFile(path) as folder:
            members = folder.infolist()
            if (total := sum(member.file_size for member in members)) > MOST_BYTES:
                raise ValueError(f"it holds {total:,} bytes, at most {MOST_BYTES:,} are read")
            return {member.filename.removesuffix(".npy"): read_array(folder, member) for member in members}
    except Exception as fault:  # NumPy and zipfile raise a dozen kinds for files that are damaged or made to fail
        if isinstance(fault, OSError) and fault.filename:  # it is missing, or may not be read
            raise
        raise ValueError(f"{path} is no sound .npz: {brief(fault)}") from None


def read_array(folder: ZipFile, member: ZipInfo) -> np.ndarray:
    """One array of plain values; raises whatever NumPy and zipfile do, or ValueError for sizes that contradict."""
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise ValueError(f"{member.filename!r:.80} is compressed in another way than NumPy does")
    with folder.open(member) as file:
        shape, _, dtype = HEADERS[np.lib.format.read_magic(file)](file)
        stated = member.file_size - file.tell()
    possible = dtype.kind in PLAIN and dtype.itemsize > 0 and min(shape, default=0) >= 0
    if not possible or prod(shape) * dtype.itemsize != stated:
        raise ValueError(f"{member.filename!r:.80} claims {dtype} of shape {shape}, and has {stated:,} bytes")
    with folder.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def brief(error: BaseException) -> str:
    """A library's error as the end of a line: the beginning of its words, after its kind where that says more."""
    kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
    words = str(error).strip().splitlines() or [type(error).__name__]
    return f"{kind}{words[0]:.160}"


@contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """Make a folder and lock it while files that belong together are written; waits for another process's lock."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
