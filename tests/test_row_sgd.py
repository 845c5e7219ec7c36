"""The fused update of weights in channels_last is torch's own, bit for bit."""

import pytest
import torch
from mmengine.registry import OPTIMIZERS
from torch import nn

from trick_transfer.engine import optimiser
from trick_transfer.engine.optimiser import RowSGD

SETTINGS = dict(lr=0.1, momentum=0.9, weight_decay=1e-2, nesterov=True)


def trained(made, **settings) -> list[torch.Tensor]:
    """Weights after four updates with given gradients."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(5, 7, 3), nn.Conv2d(7, 4, 1), nn.BatchNorm2d(4), nn.Linear(4, 2))
    net.to(memory_format=torch.channels_last)
    optimizer = made([dict(params=net[:2].parameters()), dict(params=net[2:].parameters(), weight_decay=0)], **settings)
    for _ in range(4):
        for each in net.parameters():
            each.grad = torch.randn_like(each)
        optimizer.step()
    return [each.detach() for each in net.parameters()]


@pytest.mark.parametrize(
    "change", [{}, dict(dampening=0.3, nesterov=False), dict(maximize=True), dict(momentum=0, nesterov=False)]
)
def test_rows_are_updated_as_torch_updates_weights(change):
    settings = {**SETTINGS, **change, "fused": True}
    for ours, theirs in zip(trained(RowSGD, **settings), trained(torch.optim.SGD, **settings), strict=True):
        assert ours.equal(theirs)


def test_weights_are_seen_as_rows_from_the_second_step_on(monkeypatch):
    shapes = []
    monkeypatch.setattr(
        optimiser, "sgd", lambda params, *lists, **_: shapes.append([tuple(each.shape) for each in params])
    )
    trained(RowSGD, **SETTINGS, fused=True)
    assert len(shapes) == 2 * 3  # groups x steps
    assert shapes[0] == [(7, 3, 3, 5), (7,), (4, 1, 1, 7), (4,)]


def test_a_gradient_of_another_format_is_left_to_torch(monkeypatch):
    calls = []
    monkeypatch.setattr(optimiser, "sgd", lambda *lists, **_: calls.append(lists))
    weight = nn.Parameter(torch.randn(6, 5, 3, 3).contiguous(memory_format=torch.channels_last))
    optimizer = RowSGD([weight], **SETTINGS, fused=True)
    for _ in range(2):
        weight.grad = torch.randn(6, 5, 3, 3)
        optimizer.step()
    assert not calls


def test_mmengine_builds_it_by_the_name_of_torchs():
    built = OPTIMIZERS.build(dict(type="SGD", lr=0.1, params=[torch.zeros(1, requires_grad=True)]))
    assert type(built) is RowSGD
