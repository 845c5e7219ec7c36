"""Files that matter: whole or not at all when written, plain weights or refused when read."""

import errno
import os
import pickle
import resource
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.runner import save_checkpoint
from safetensors.torch import load_file, save_file
from torch import nn

from trick_transfer.engine.checkpoint import LATEST, WholeCheckpoint, load_strictly, read_weights
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


def runner_of(folder, model, whole_step=True):
    """As much of a Runner as the hook asks for; the file is mmengine's."""

    def save(out, name):
        save_checkpoint(dict(state_dict=model.state_dict()), os.path.join(out, name))

    wrapper = SimpleNamespace(should_update=lambda: whole_step)
    return SimpleNamespace(work_dir=str(folder), save_checkpoint=save, optim_wrapper=wrapper)


def test_a_checkpoint_replaces_the_last_one_or_leaves_it(tmp_path):
    WholeCheckpoint().after_train_epoch(runner_of(tmp_path, nn.Linear(2, 2)))
    before = (tmp_path / LATEST).read_bytes()
    with small_disk(), pytest.raises(OSError, match=r"latest\.pth"):
        WholeCheckpoint().after_train_epoch(runner_of(tmp_path, nn.Linear(200, 200)))
    assert (tmp_path / LATEST).read_bytes() == before
    small = nn.Linear(3, 3)
    WholeCheckpoint().after_train_epoch(runner_of(tmp_path, small))
    assert torch.equal(read_weights(tmp_path / LATEST)["weight"], small.weight)
    assert os.listdir(tmp_path) == [LATEST]


def test_a_checkpoints_position_is_in_steps_of_the_run_that_goes_on():
    """Two epochs of three updates, begun with one step an update, carried on with two."""
    runner = SimpleNamespace(_resume=True, train_loop=SimpleNamespace(max_iters=5 * 6, max_epochs=5))
    checkpoint = dict(meta=dict(epoch=2, iter=6))
    WholeCheckpoint().after_load_checkpoint(runner, checkpoint)
    assert checkpoint["meta"] == dict(epoch=2, iter=12)


def test_no_checkpoint_is_written_while_accumulated_gradients_wait(tmp_path):
    WholeCheckpoint().after_train_epoch(runner_of(tmp_path, nn.Linear(2, 2), whole_step=False))
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s}, lambda s: {"model": s, "epoch": 3}])
def test_weights_are_read_from_all_usual_checkpoints(tmp_path, wrap):
    state = nn.Linear(2, 3).state_dict()
    torch.save(wrap(state), tmp_path / "weights.pth")
    assert all(torch.equal(tensor, state[name]) for name, tensor in read_weights(tmp_path / "weights.pth").items())


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("save", [torch.save, lambda data, path: path.write_bytes(pickle.dumps(data, 2))])
def test_a_checkpoint_that_holds_code_is_refused_and_not_run(tmp_path, save):
    save({"state_dict": Malicious(str(tmp_path / "pwned"))}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match=r"evil\.pth") as caught:
        read_weights(tmp_path / "evil.pth")
    assert "\n" not in str(caught.value) and not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_truncated_checkpoint_is_named(tmp_path, name):
    path, state = tmp_path / name, nn.Linear(50, 50).state_dict()
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=name):
        read_weights(path)


def test_a_file_without_a_state_dict_is_refused(tmp_path):
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    with pytest.raises(ValueError, match=r"tensor\.pth .*Tensor.*state dict"):
        read_weights(tmp_path / "tensor.pth")


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.pth"):
        read_weights(tmp_path / "gone.pth")


def test_at_most_four_misfits_are_listed():
    wide = nn.Sequential(*(nn.Linear(2, 2) for _ in range(4)))
    with pytest.raises(ValueError, match=r"^a\.pth .* Linear .*0\.bias, .* 6 more$"):
        load_strictly(nn.Linear(2, 2), wide.state_dict(), "a.pth")
    with pytest.raises(ValueError, match=r"^a\.pth .* Linear .* weight$"):
        load_strictly(nn.Linear(2, 2), {"weight": torch.zeros(2, 3), "bias": torch.zeros(2)}, "a.pth")


def test_a_folder_is_locked_by_one_process_at_a_time(tmp_path):
    with alone(tmp_path / "run"):
        with pytest.raises(ValueError, match=str(tmp_path / "run")), alone(tmp_path / "run"):
            pass
        with alone(tmp_path / "other"):
            pass
    with alone(tmp_path / "run"):
        pass
