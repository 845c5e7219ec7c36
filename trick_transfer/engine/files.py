"""Files are written whole or not at all, and a folder by one process at a time."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save
from torch import Tensor

from .weights import check_values


def write_whole(path: str | Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a file beside `path`, then rename it; an OSError names the file, and an older one is kept."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(part)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(part, path)
    except OSError as error:
        raise OSError(error.errno, f"{path} could not be written, an older file is kept: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def file_sha256(path: str | Path) -> str:
    """The sha256 of a file of any size, in hex."""
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


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, a file beside it, until the process ends. Raises ValueError if another process holds it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another process writes {folder}; wait for it") from None
        yield
