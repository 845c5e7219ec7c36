"""Convolutions computed another way on a CPU: what torch's own operator computes, and its gradients."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from trick_transfer.engine import convolution
from trick_transfer.engine.convolution import Conv2d, laid_out

# (in, out, height, width, kernel, stride, padding): those of small maps, then those that torch's operator keeps
MULTIPLIED = [
    (8, 256, 2, 2, 3, 1, 1),
    (8, 256, 6, 5, 3, 2, 1),
    (8, 256, 5, 3, (3, 1), (2, 1), (1, 0)),
    (8, 256, 3, 3, 1, 1, 0),
    (8, 256, 5, 5, 1, 2, 0),
    (8, 256, 3, 3, 7, 2, 3),
    (8, 256, 1, 1, 1, 1, 1),
]
KEPT = [(8, 256, 16, 16, 3, 1, 1), (8, 16, 2, 2, 3, 1, 1)]


def of_both(values: tuple, bias: bool = True, **options: Any) -> tuple[nn.Conv2d, nn.Conv2d, torch.Tensor]:
    """torch's convolution, ours with the same weights, and maps; in double precision."""
    inp, out, height, width, *geometry = values
    torch.manual_seed(0)
    theirs = nn.Conv2d(inp, out, *geometry, bias=bias, **options).double()
    ours = nn.Conv2d(inp, out, *geometry, bias=bias, **options).double()
    ours.load_state_dict(theirs.state_dict())
    maps = torch.randn(3, inp, height, width, dtype=torch.float64)
    return theirs, laid_out(ours), maps.contiguous(memory_format=torch.channels_last)


def result(conv: nn.Conv2d, maps: torch.Tensor) -> list[torch.Tensor]:
    """Its map, and the gradients with respect to the input and the weights."""
    given = maps.clone().requires_grad_()
    made = conv(given)
    made.square().sum().backward()
    assert given.grad is not None
    return [made.detach(), given.grad, *(each.grad for each in conv.parameters() if each.grad is not None)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("values", MULTIPLIED + KEPT)
def test_a_multiplication_is_the_convolution_with_its_gradients(values, bias):
    theirs, ours, maps = of_both(values, bias)
    assert isinstance(ours, Conv2d)
    assert ours.multiplies(maps) == (values in MULTIPLIED)
    for one, other in zip(result(ours, maps), result(theirs, maps), strict=True):
        torch.testing.assert_close(one, other)


def test_in_low_precision_it_is_as_near_to_the_exact_one_as_torchs():
    theirs, ours, maps = of_both((64, 256, 2, 2, 3, 1, 1))
    exact = result(theirs, maps)
    errors = []
    for conv in (theirs.float(), ours.float()):
        conv.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            low = result(conv, maps.float())
        errors.append([float((a - b).norm() / b.norm()) for a, b in zip(low, exact, strict=True)])
    for of_torch, of_ours in zip(*errors, strict=True):
        assert of_ours < 1.2 * of_torch < 0.02


@pytest.mark.parametrize("amx", [True, False])
def test_wide_tiles_take_larger_maps_and_all_1x1_in_low_precision(amx, monkeypatch):
    monkeypatch.setattr(convolution, "has_amx", lambda: amx)
    _, deep, maps = of_both((8, 256, 7, 7, 3, 1, 1))
    _, thin, large = of_both((8, 16, 32, 32, 1, 1, 0))
    with torch.autocast("cpu", torch.bfloat16):
        assert deep.multiplies(maps.float()) == thin.multiplies(large.float()) == amx
    assert not deep.multiplies(maps) and not thin.multiplies(large)


DEPTHWISE = [  # (channels, height, width, kernel, stride, padding, dilation)
    (8, 8, 12, 3, 1, 2, 2),
    (8, 12, 8, 5, 1, 8, 4),
    (8, 12, 9, 3, 1, 0, 3),
    (8, 8, 7, 3, 1, 2, 2),  # what the dilation does not divide
    (8, 8, 8, 3, 1, 1, 2),
    (8, 8, 8, 3, 1, (2, 3), (2, 3)),
    (8, 9, 8, 5, 2, 2, 1),
    (8, 8, 8, 5, 2, 4, 2),
]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("values", DEPTHWISE)
def test_a_depthwise_convolution_is_the_same_with_its_gradients(values, bias):
    channels, height, width, *geometry, dilation = values
    inside = (channels, channels, height, width, *geometry)
    theirs, ours, maps = of_both(inside, bias, groups=channels, dilation=dilation)
    for one, other in zip(result(ours, maps), result(theirs, maps), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("values", DEPTHWISE)
def test_in_low_precision_a_depthwise_one_stays_near_the_exact_one(values):
    channels, height, width, *geometry, dilation = values
    inside = (channels, channels, height, width, *geometry)
    theirs, ours, maps = of_both(inside, groups=channels, dilation=dilation)
    exact = result(theirs, maps)
    with torch.autocast("cpu", torch.bfloat16):
        low = result(ours.float(), maps.float())
        assert ours(maps.float()).dtype == theirs.float()(maps.float()).dtype
    for one, other in zip(low, exact, strict=True):
        assert (one - other).norm() < 0.02 * other.norm()


@pytest.mark.parametrize("options", [dict(groups=2), dict(dilation=2), dict(padding_mode="reflect")])
def test_other_convolutions_are_torchs(options, monkeypatch):
    for other in ("multiplied", "by_channel"):
        monkeypatch.setattr(Conv2d, other, None)
    theirs, ours, maps = of_both((8, 256, 4, 4, 3, 2, 1), **options)
    assert ours(maps).equal(theirs(maps))


def test_a_model_laid_out_keeps_its_names_and_what_is_no_plain_convolution():
    class Own(nn.Conv2d):
        pass

    model = nn.Sequential(nn.Conv2d(4, 4, 3), Own(4, 4, 3), nn.ConvTranspose2d(4, 4, 2))
    names = list(model.state_dict())
    assert [type(each) for each in laid_out(model)] == [Conv2d, Own, nn.ConvTranspose2d]
    assert list(model.state_dict()) == names
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("options", [{}, dict(dilation=2), dict(groups=8), dict(groups=8, dilation=2, padding=2)])
def test_no_region_makes_no_map(options):
    ours = laid_out(nn.Conv2d(8, 8 if "groups" in options else 256, 3, **{"padding": 1, **options}))
    maps = torch.zeros(0, 8, 4, 4)
    assert ours(maps).shape == F.conv2d(maps, ours.weight, **{"padding": 1, **options}).shape
