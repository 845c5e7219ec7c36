"""Files that matter are written whole or not at all."""

import errno
import os
import resource
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from trick_transfer.engine.files import alone, write_tensors, write_whole


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


def test_a_folder_is_locked_by_one_process_at_a_time(tmp_path):
    with alone(tmp_path / "run"):
        with pytest.raises(ValueError, match=str(tmp_path / "run")), alone(tmp_path / "run"):
            pass
        with alone(tmp_path / "other"):
            pass
    with alone(tmp_path / "run"):
        pass
