"""What a backbone freezes, and that it loads all of its weights or none."""

import pytest
import torch
from safetensors.torch import save_file

from backbones.resnet import ResNet
from trick_transfer.engine.files import file_sha256
from trick_transfer.engine.weights import read_weights

PARTS = ("stem", "stage1", "stage2", "stage3", "stage4")


@pytest.fixture
def file(tmp_path):
    """An exported ResNet-18 with random weights."""
    path = tmp_path / "backbone.safetensors"
    save_file(ResNet(18).state_dict(), path)
    return path


def trained(net):
    """The parts in which anything is trained."""
    return {name.split(".")[0] for name, p in net.named_parameters() if p.requires_grad}


def moving(net):
    """The parts whose batch norms follow the batch."""
    return {name.split(".")[0] for name, norm in net.norms() if norm.training}


@pytest.mark.parametrize("frozen_stages", [-1, 0, 1, 2, 3, 4])
def test_frozen_stages_counts_as_mmdet_does(frozen_stages):
    net = ResNet(18, frozen_stages=frozen_stages).train()
    assert trained(net) == moving(net) == set(PARTS[frozen_stages + 1 :])


def test_norm_eval_freezes_batch_norms_everywhere_and_nothing_else():
    net = ResNet(18, norm_eval=True).train()
    assert not moving(net)
    assert {name for name, p in net.named_parameters() if not p.requires_grad} == {
        f"{name}.{tensor}" for name, _ in net.norms() for tensor in ("weight", "bias")
    }


@pytest.mark.parametrize("norm_eval", [True, False])
def test_only_norm_eval_keeps_running_statistics_from_moving(norm_eval):
    net = ResNet(18, norm_eval=norm_eval).train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items() if "running" in name}
    net(torch.rand(2, 3, 32, 32))
    assert all(torch.equal(net.state_dict()[name], tensor) == norm_eval for name, tensor in before.items())


def test_a_whole_file_loads_bit_for_bit(file):
    net = ResNet(18, weights=file, sha256=file_sha256(file))
    assert all(torch.equal(tensor, net.state_dict()[name]) for name, tensor in read_weights(file).items())


def test_a_missing_tensor_is_named(file):
    state = read_weights(file)
    del state["stage2.0.path.0.conv.weight"]
    save_file(state, file)
    with pytest.raises(ValueError, match=r"ResNet: it lacks stage2\.0\.path\.0\.conv\.weight$"):
        ResNet(18, weights=file)
    ResNet(18, stages=(4,), weights=file)  # which has no such layer


@pytest.mark.parametrize("stages", [(1, 2, 3, 4), (4,)])
@pytest.mark.parametrize("unknown", ["head.weight", "stage4.9.path.0.conv.weight"])
def test_a_tensor_of_no_layer_is_named(file, stages, unknown):
    save_file(read_weights(file) | {unknown: torch.zeros(1)}, file)
    with pytest.raises(ValueError, match=f"ResNet: it also has {unknown}$"):
        ResNet(18, stages=stages, weights=file)


def test_a_tensor_of_another_shape_is_named(file):
    save_file(read_weights(file) | {"stem.0.conv.weight": torch.zeros(64, 3, 3, 3)}, file)
    with pytest.raises(ValueError, match=r"stem\.0\.conv\.weight \(64, 3, 3, 3\) for \(64, 3, 7, 7\)$"):
        ResNet(18, weights=file)


def test_another_depth_is_refused(file):
    with pytest.raises(ValueError, match=r"backbone\.safetensors .* ResNet: it lacks .* \d+ more"):
        ResNet(50, weights=file)


def test_another_file_than_the_cards_is_refused(file):
    with pytest.raises(ValueError, match=r"backbone\.safetensors .*sha256.*export"):
        ResNet(18, weights=file, sha256="0" * 64)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.safetensors .*tools/export\.py"):
        ResNet(18, weights=tmp_path / "gone.safetensors")


def test_a_truncated_file_is_named(file):
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"backbone\.safetensors"):
        ResNet(18, weights=file)


@pytest.mark.parametrize(
    "option", [dict(depth=51), dict(tweak="cd"), dict(output_stride=4), dict(stages=(1, 3)), dict(stages=())]
)
def test_an_option_that_does_not_exist_is_named(option):
    with pytest.raises(ValueError, match=f"ResNet: {next(iter(option))}=.*choose from"):
        ResNet(**option)
