"""Weights of all usual checkpoints are found and told apart; what is none is refused, and nothing in a file is run."""

import gzip
import os
import pickle
import re
from argparse import Namespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from trick_transfer.engine.files import write_tensors
from trick_transfer.engine.weights import load_strictly, read_weights


def network():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def saved(path, data):
    torch.save(data, path)
    return path


def prefixed(prefix, state):
    return {prefix + name: tensor for name, tensor in state.items()}


WRAPPED = {  # who writes such checkpoints: how
    "torch": lambda s: s,
    "timm": lambda s: {"state_dict": s, "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": []}},
    "torchvision": lambda s: {"model": s, "epoch": 3, "args": Namespace(lr=0.1, data="x")},
    "data parallel": lambda s: {"state_dict": prefixed("module.", s), "best": np.float64(61.5), "n": np.int64(2)},
    "MoCo": lambda s: prefixed("module.encoder_q.", s) | {"module.queue": torch.zeros(2, 4)},
    "DINO, one of two": lambda s: {"teacher": prefixed("module.backbone.", s), "dino_loss": {"centre": torch.zeros(1)}},
    "before the counters of batch norm": lambda s: {n: t for n, t in s.items() if "num_batches" not in n},
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_weights_are_found_in_all_usual_checkpoints(tmp_path, wrap):
    state = network().state_dict()
    found = read_weights(saved(tmp_path / "weights.pth", wrap(state)), state)
    assert {name for name in state if "num_batches" not in name} <= found.keys()
    assert all(torch.equal(found[name], state[name]) for name in found if name in state)


def test_a_prefix_that_is_left_out_is_told(tmp_path, capsys):
    state = network().state_dict()
    read_weights(saved(tmp_path / "a.pth", {"state_dict": prefixed("module.", state)}), state)
    assert "a.pth: read without the prefix state_dict.module." in capsys.readouterr().err


def test_of_several_networks_one_must_be_named(tmp_path):
    one, other = network().state_dict(), network().state_dict()
    path = saved(tmp_path / "dino.pth", {"student": prefixed("module.", one), "teacher": other})
    with pytest.raises(ValueError, match=r"dino\.pth holds 2 .*: student\.module, teacher; .*--part"):
        read_weights(path, one)
    assert torch.equal(read_weights(path, one, "student")["0.weight"], one["0.weight"])
    assert torch.equal(read_weights(path, one, "teacher")["0.weight"], other["0.weight"])
    with pytest.raises(ValueError, match=r"dino\.pth has none of the network's names"):
        read_weights(path, one, "no such")


DENSE = torch.ones(2, 3)
FAULTS = {  # what is told: the file's content
    "0.weight is a list, not a tensor": network().state_dict() | {"0.weight": [1.0]},
    "0.weight is not a dense tensor": network().state_dict() | {"0.weight": DENSE.to_sparse()},
    "0.weight is not a dense tensor of real": network().state_dict() | {"0.weight": DENSE.to("meta")},
    "0.bias is not a dense tensor of real": network().state_dict() | {"0.bias": torch.zeros(3, dtype=torch.complex64)},
    "0.weight holds NaN or infinity": network().state_dict() | {"0.weight": DENSE / 0},
    "1.running_mean holds NaN or infinity": network().state_dict() | {"1.running_mean": DENSE.log().sub(1).sqrt()[0]},
    "holds no tensor that has a name": {0: DENSE, 1: DENSE},
    "holds no tensor": {},
    "holds a list, not a state dict": [DENSE],
}


@pytest.mark.filterwarnings("ignore:Validating sparse")
@pytest.mark.parametrize("told", FAULTS)
def test_what_is_no_weight_is_named(tmp_path, told):
    with pytest.raises(ValueError, match=rf"weights\.pth.*{told}"):
        read_weights(saved(tmp_path / "weights.pth", FAULTS[told]))


def test_weights_that_training_would_write_are_finite(tmp_path):
    with pytest.raises(ValueError, match=r"model\.safetensors: a holds NaN"):
        write_tensors(tmp_path / "model.safetensors", {"a": torch.tensor([1.0, float("nan")])})
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"x", b"\x80\x02", b"PK\x03\x04abc", b"\x00" * 99])
@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_file_that_is_no_checkpoint_is_named_in_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} is (empty|not? .*checkpoint [^:]*: \S)") as caught:
        read_weights(tmp_path / name)
    assert "\n" not in str(caught.value)


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("save", [torch.save, lambda data, path: path.write_bytes(pickle.dumps(data, 2))])
def test_a_checkpoint_that_holds_code_is_refused_and_not_run(tmp_path, save):
    save({"state_dict": Malicious(str(tmp_path / "pwned"))}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match=r"evil\.pth holds (posix|nt)\.mkdir, which could run code") as caught:
        read_weights(tmp_path / "evil.pth")
    assert "\n" not in str(caught.value) and not (tmp_path / "pwned").exists()


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:.*TorchScript")
def test_a_program_and_a_model_are_refused_with_the_way_to_convert_them(tmp_path):
    torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "a.pt")
    torch.save(nn.Linear(2, 2), tmp_path / "b.pth")
    for name, told in (("a.pt", "TorchScript"), ("b.pth", r"torch\.nn\.modules\.linear\.Linear")):
        with pytest.raises(ValueError, match=rf"{name} [^\n]*{told}[^\n]*torch\.save\(model\.state_dict\(\), [^\n]*$"):
            read_weights(tmp_path / name)


def test_a_pointer_of_git_lfs_is_told(tmp_path):
    (tmp_path / "a.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(ValueError, match=r"a\.bin .*Git LFS.*git lfs pull"):
        read_weights(tmp_path / "a.bin")


ARRAYS = {"conv.weight": np.ones((2, 2))}
FOREIGN = {  # what is told: how such a file is written
    "NumPy archive; torch.save({name: torch.from_numpy": lambda path: np.savez(path.open("wb"), **ARRAYS),
    "compressed by gzip; unpack it": lambda path: path.write_bytes(gzip.compress(b"weights")),
    "it is text": lambda path: path.write_text("<!DOCTYPE html>\n<html>not found</html>"),
    "pickle of Python's own": lambda path: path.write_bytes(pickle.dumps(ARRAYS)),
    "holds NumPy arrays, such as conv.weight": lambda path: torch.save(ARRAYS, path),
}


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("told", FOREIGN)
def test_what_others_write_is_told_with_the_way_to_convert_it(tmp_path, told):
    FOREIGN[told](tmp_path / "a.pth")
    with pytest.raises(ValueError, match=rf"a\.pth [^\n]*{re.escape(told)}[^\n]*$"):
        read_weights(tmp_path / "a.pth")


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
    told = r"^a\.pth .* Linear: it lacks bias, weight; it also has 0\.bias, .* and 4 more$"
    with pytest.raises(ValueError, match=told):
        load_strictly(nn.Linear(2, 2), wide.state_dict(), "a.pth")
    with pytest.raises(ValueError, match=r"^a\.pth .* Linear: .*shapes: weight \(2, 3\) for \(2, 2\)$"):
        load_strictly(nn.Linear(2, 2), {"weight": torch.zeros(2, 3), "bias": torch.zeros(2)}, "a.pth")
    with pytest.raises(ValueError, match=r"whole numbers in bias$"):
        load_strictly(nn.Linear(2, 2), {"weight": torch.zeros(2, 2), "bias": torch.zeros(2).long()}, "a.pth")
