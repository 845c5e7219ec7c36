"""latest.pth is replaced whole, and read without running anything that it holds."""

import os
from types import SimpleNamespace

import pytest
import torch
from mmengine.runner import save_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from test_files import small_disk
from torch import nn

from trick_transfer.engine.checkpoint import LATEST, SAFELY, WholeCheckpoint
from trick_transfer.engine.weights import read_weights


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
    assert torch.equal(read_weights(tmp_path / LATEST, small.state_dict())["weight"], small.weight)
    assert os.listdir(tmp_path) == [LATEST]


def test_a_checkpoints_position_is_in_steps_of_the_run_that_goes_on():
    """Two epochs of three updates, begun with one step an update, carried on with two."""
    model = nn.Linear(2, 2)
    runner = SimpleNamespace(_resume=True, train_loop=SimpleNamespace(max_iters=5 * 6, max_epochs=5), model=model)
    checkpoint = dict(meta=dict(epoch=2, iter=6), state_dict=model.state_dict())
    WholeCheckpoint().after_load_checkpoint(runner, checkpoint)
    assert checkpoint["meta"] == dict(epoch=2, iter=12)
    with pytest.raises(ValueError, match="Linear: it lacks bias"):  # mmengine would go on without
        WholeCheckpoint().after_load_checkpoint(runner, checkpoint | dict(state_dict={"weight": model.weight}))


def test_no_checkpoint_is_written_while_accumulated_gradients_wait(tmp_path):
    WholeCheckpoint().after_train_epoch(runner_of(tmp_path, nn.Linear(2, 2), whole_step=False))
    assert not os.listdir(tmp_path)


def test_weights_that_are_not_finite_are_not_kept():
    state = {"weight": torch.tensor([float("nan")])}
    with pytest.raises(ValueError, match="epoch 3: weight holds NaN or infinity.*lower rate"):
        WholeCheckpoint().before_save_checkpoint(None, whole(meta=dict(epoch=3), state_dict=state))


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def whole(**changes):
    """As mmengine saves one."""
    parts = dict(
        state_dict=nn.Linear(2, 2).state_dict(), message_hub=dict(log_scalars={}), optimizer={}, param_schedulers=[]
    )
    return dict(meta=dict(epoch=1, iter=3, seed=0)) | parts | changes


@pytest.mark.parametrize("place", ["meta", "state_dict", "message_hub", "optimizer", "param_schedulers", "more"])
def test_a_pickle_of_code_in_a_checkpoint_is_not_run(tmp_path, place):
    evil = Malicious(str(tmp_path / "pwned"))
    torch.save(whole(**{place: [evil] if place == "param_schedulers" else {"key": evil}}), tmp_path / LATEST)
    with pytest.raises(ValueError, match=r"latest\.pth holds .*mkdir, .*delete .*latest\.pth, and the stage starts"):
        CheckpointLoader.load_checkpoint(f"{SAFELY}{tmp_path / LATEST}")
    assert os.listdir(tmp_path) == [LATEST]


def test_the_text_of_a_config_in_a_checkpoint_is_left_out(tmp_path):
    """mmengine's `resume` runs meta["config"] as a Python file."""
    torch.save(whole(meta=dict(epoch=1, iter=3, seed=5, config="import os", cfg="x")), tmp_path / LATEST)
    found = CheckpointLoader.load_checkpoint(f"{SAFELY}{tmp_path / LATEST}")
    assert found["meta"] == dict(epoch=1, iter=3, seed=5)


@pytest.mark.parametrize(
    "data", [[1], {}, whole(meta={}), whole(meta=dict(epoch="1", iter=3)), whole(optimizer=None), whole(state_dict=3)]
)
def test_a_file_that_is_no_checkpoint_of_a_training_is_named(tmp_path, data):
    torch.save(data, tmp_path / LATEST)
    with pytest.raises(ValueError, match=r"latest\.pth is not a checkpoint of a training; delete"):
        CheckpointLoader.load_checkpoint(f"{SAFELY}{tmp_path / LATEST}")
