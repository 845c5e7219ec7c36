"""Files that matter are written whole or not at all."""

import errno
import fcntl
import io
import os
import resource
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from trick_transfer.engine.files import (
    MOST_BYTES,
    file_sha256,
    part_of,
    read_arrays,
    write_arrays,
    write_tensors,
    write_whole,
)


@contextmanager
def small_disk():
    """The kernel refuses the 10,001st byte of a file, much as a full disk does; also of pytest's own log."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail(part: Path):
        part.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=r"file\.txt .*No space left"):
        write_whole(path, fail)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file.txt"]


def test_an_interrupted_write_leaves_the_old_file_and_no_other(tmp_path):
    def interrupt(part: Path):
        part.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "file.txt", interrupt)
    assert not os.listdir(tmp_path)


WRITE = """
import os, sys
from pathlib import Path
from trick_transfer.engine.files import part_of
with part_of(Path("{path}"), folder={folder}) as part:
    if {folder}:
        (part / "half").touch()
    print(part, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writer(tmp_path):
    """Another process in the midst of writing a path, and the part that it writes."""
    started = []

    def start(folder):
        words = [sys.executable, "-c", WRITE.format(path=tmp_path / "file.txt", folder=folder)]
        started.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return started[-1], Path(started[-1].stdout.readline().strip())

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("folder", [False, True])
def test_what_a_killed_writer_left_is_removed_by_the_next_and_a_living_ones_is_kept(tmp_path, writer, folder):
    other = tmp_path / ".other.txt.1.part"
    other.touch()
    process, part = writer(folder)
    write_whole(tmp_path / "file.txt", lambda mine: mine.write_text("mine"))
    assert part.exists()
    process.kill()
    process.wait()
    write_whole(tmp_path / "file.txt", lambda mine: mine.write_text("mine"))
    assert {*tmp_path.iterdir()} == {tmp_path / "file.txt", other}


def test_a_folder_is_made_beside_its_place_and_is_gone_unless_it_is_renamed(tmp_path):
    with part_of(tmp_path / "new" / "folder", folder=True) as part:
        assert part.is_dir()
        part.rename(tmp_path / "new" / "folder")
    with part_of(tmp_path / "new" / "other", folder=True) as part:
        (part / "half").touch()
    assert os.listdir(tmp_path / "new") == ["folder"]


def test_a_file_system_without_locks_is_written_to_all_the_same(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    left = tmp_path / ".file.txt.1.part"
    left.touch()
    write_whole(tmp_path / "file.txt", lambda part: part.write_text("new"))
    assert (tmp_path / "file.txt").read_text() == "new" and left.exists()


def test_tensors_of_any_memory_format_keep_their_values(tmp_path):
    tensor = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    write_tensors(tmp_path / "new" / "state.safetensors", {"x": tensor, "y": tensor[:, 1]})
    found = load_file(tmp_path / "new" / "state.safetensors")
    assert torch.equal(found["x"], tensor) and torch.equal(found["y"], tensor[:, 1])


def test_a_full_disk_under_weights_leaves_the_old_ones(tmp_path):
    write_tensors(tmp_path / "state.safetensors", {"x": torch.ones(5)})
    with small_disk(), pytest.raises(OSError, match=r"state\.safetensors"):
        write_tensors(tmp_path / "state.safetensors", {"x": torch.zeros(5000)})
    assert load_file(tmp_path / "state.safetensors")["x"].sum() == 5


def header(shape, descr="<f8"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


def npz(content, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as folder:
        folder.writestr("a.npy", content)
    return file.getvalue()


def flagged(content, in_local, in_central, value):
    """A zip of one member with this 16-bit field changed in both of its headers."""
    content = bytearray(content)
    for at in (in_local, content.index(b"PK\1\2") + in_central):
        content[at : at + 2] = value.to_bytes(2, "little")
    return bytes(content)


def pickled():
    file = io.BytesIO()
    np.save(file, np.array([{}]), allow_pickle=True)
    return file.getvalue()


WHOLE = npz(header((3,)) + bytes(24))
UNSOUND = {
    "a claim of 72 TiB": npz(header((9 << 40,))),
    "a claim of more than there are numbers for": npz(header((1 << 62, 1 << 62))),
    "a negative side": npz(header((-3, -1)) + bytes(24)),
    "nothing of no size": npz(header((1 << 60,), "<U0")),
    "more dimensions than NumPy has": npz(header((1,) * 99) + bytes(8)),
    "fewer bytes than the header says": npz(header((3,)) + bytes(23)),
    "pickled objects": npz(pickled()),
    "records": npz(header((3,), [("a", "<f8")]) + bytes(24)),
    "no array": npz(b"hello"),
    "a header that is no dict": npz(header((3,)).replace(b"{", b"(") + bytes(24)),
    "a deeply nested header": npz(b"\x93NUMPY\1\0" + (9000).to_bytes(2, "little") + b"(" * 9000),
    "encryption": flagged(WHOLE, 6, 8, 1),
    "an unknown compression": flagged(WHOLE, 8, 10, 99),
    "lzma": npz(header((3,)) + bytes(24), zipfile.ZIP_LZMA),
    "a flipped bit": WHOLE[:90] + bytes([WHOLE[90] ^ 1]) + WHOLE[91:],
    "half a zip": WHOLE[: len(WHOLE) // 2],
    "a plain array before the zip's end": header((9 << 40,)) + WHOLE,
}


@pytest.mark.parametrize("kind", UNSOUND)
def test_arrays_that_are_damaged_or_lie_are_refused_in_one_line_without_taking_memory(tmp_path, kind):
    (tmp_path / "a.npz").write_bytes(UNSOUND[kind])
    if kind.startswith("a plain array"):
        assert read_arrays(tmp_path / "a.npz")["a"].tolist() == [0, 0, 0]  # the zip alone counts
        return
    with pytest.raises(ValueError, match=rf"^{tmp_path}/a\.npz is no sound \.npz: .+") as caught:
        read_arrays(tmp_path / "a.npz")
    assert "\n" not in str(caught.value)


def test_a_zip_of_more_than_the_limit_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as folder:
        with folder.open("a.npy", "w", force_zip64=True) as file:
            file.write(header((MOST_BYTES,), "|u1"))
        folder.filelist[0].file_size = MOST_BYTES + 1  # as it would be stated
    with pytest.raises(ValueError, match=f"{MOST_BYTES:,} are read"):
        read_arrays(tmp_path / "a.npz")


def test_arrays_come_back_as_they_were_written(tmp_path):
    arrays = dict(names=np.array(["ä", ""]), none=np.zeros((0, 4), np.float32), bools=np.array([True]), one=np.array(3))
    arrays["columns first"] = np.asfortranarray(np.arange(6).reshape(2, 3))
    write_arrays(tmp_path / "a.npz", arrays)
    found = read_arrays(tmp_path / "a.npz")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_missing_arrays_are_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.npz"):
        read_arrays(tmp_path / "gone.npz")


def test_a_pipe_is_refused_where_reading_it_would_wait(tmp_path):
    os.mkfifo(tmp_path / "outputs.npz")
    with pytest.raises(OSError, match=r"outputs\.npz is a pipe"):
        file_sha256(tmp_path / "outputs.npz")
