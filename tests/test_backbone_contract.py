"""One contract for every backbone that a recipe names, and a few more of timm's families."""

import json
from functools import cache

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from toy_voc import MEAN, STD

from backbones.card import arrived_percent, write_card
from backbones.registry import MODELS, by_name
from classification.config import load, names

MORE = ("convnext_atto", "mambaout_femto")  # the latter works in NHWC
UNDILATED = ("inception_v3", "densenet201", "legacy_seresnet50", "mambaout_femto")  # timm has no dilated form of them
NOT_PADDED = "inception_v3"  # its maps are smaller than size / stride


def configs():
    """Each backbone of the recipes once, and some more, by a name for the test's report."""
    found = [load(recipe).model.backbone.to_dict() for recipe in names()] + [by_name(f"timm/{name}") for name in MORE]
    plain = [{key: value for key, value in each.items() if key != "zero_gamma"} for each in found]
    unique = {json.dumps(each, sort_keys=True): each for each in plain}.values()
    return {each.get("model") or f"resnet{each['depth']}{each['tweak']}": each for each in unique}


CONFIGS = configs()
every = pytest.mark.parametrize("name", CONFIGS)


def build(name, **options):
    return MODELS.build(CONFIGS[name] | options)


@cache
def sketch(name, output_stride=32):
    """Names and shapes only."""
    with torch.device("meta"):
        return build(name, output_stride=output_stride).eval()


@pytest.fixture(scope="module")
def cards(tmp_path_factory):
    """Cards of networks whose batch norms are as after training, made once each."""
    made = {}

    def card(name):
        if name not in made:
            torch.manual_seed(0)
            net = build(name)
            for _, norm in net.norms():
                nn.init.uniform_(norm.weight, 0.5, 1.0)
                nn.init.normal_(norm.running_mean, 0, 0.1)
            facts = dict(name=name, tier="smoke", seed=0, mean=MEAN, std=STD, licences={})
            folder = tmp_path_factory.mktemp(name)
            made[name] = write_card(folder, net, CONFIGS[name], {}, px(name), **facts), net.eval()
        return made[name]

    return card


def px(name):
    return 112 if name == NOT_PADDED else 64  # it takes no less than 75, and 107 for a last map of 2x2


def images(name, count=1):
    return torch.randn(count, 3, px(name), px(name), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def outputs(net, inputs):
    return net.to(memory_format=torch.channels_last)(inputs)  # in one memory format: another rounds otherwise


@every
@pytest.mark.parametrize("output_stride", [32, 16, 8])
def test_strides_and_channels_are_those_of_the_maps_and_no_stride_changes_a_name(name, output_stride):
    whole = {key: tensor.shape for key, tensor in sketch(name).state_dict().items()}
    if name in UNDILATED and output_stride < 32:
        with pytest.raises(ValueError, match=f"timm/{name}.*output_stride={output_stride}"):
            sketch(name, output_stride=output_stride)
        return
    net = sketch(name, output_stride=output_stride)
    assert {key: tensor.shape for key, tensor in net.state_dict().items()} == whole
    assert net.strides == tuple(min(stride, output_stride) for stride in (4, 8, 16, 32))
    maps = net(torch.zeros(1, 3, 128, 192, device="meta"))
    assert [each.shape[1] for each in maps] == list(net.channels)
    if name != NOT_PADDED:
        assert [each.shape[2:] for each in maps] == [(128 // stride, 192 // stride) for stride in net.strides]


@every
def test_gradients_reach_every_parameter(name):
    torch.manual_seed(0)
    net = build(name).train()
    sum(each.square().mean() for each in net(images(name, count=2))).backward()
    idle = [key for key, parameter in net.named_parameters() if not parameter.grad.any()]
    assert idle == []
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


@every
def test_frozen_stages_freeze_what_the_first_map_comes_from_and_its_statistics(name):
    torch.manual_seed(0)
    net = build(name, frozen_stages=1).train()
    whole = sketch(name)
    keys, free = zip(*whole.named_parameters(), strict=True)
    gradients = torch.autograd.grad(whole(images(name).to("meta"))[0].sum(), free, allow_unused=True)
    stem_and_stage1 = {key for key, gradient in zip(keys, gradients, strict=True) if gradient is not None}
    frozen = {key for key, parameter in net.named_parameters() if not parameter.requires_grad}
    assert frozen == stem_and_stage1
    assert {key for key, norm in net.norms() if not norm.training} == {
        key for key, _ in net.norms() if f"{key}.weight" in frozen
    }


@every
def test_norm_eval_freezes_all_batch_norms_and_nothing_else(name):
    with torch.device("meta"):
        net = build(name, norm_eval=True).train()
    frozen = {key for key, parameter in net.named_parameters() if not parameter.requires_grad}
    assert frozen == {f"{key}.{tensor}" for key, _ in net.norms() for tensor in ("weight", "bias")}
    assert not any(norm.training for _, norm in net.norms())


@every
def test_an_export_comes_back_bit_for_bit(name, cards):
    card, net = cards(name)
    again = MODELS.build(card.slot()).eval()
    assert card.feature_error == 0 and arrived_percent(card, again) == 100
    assert again.state_dict().keys() == load_file(card.weights).keys()
    assert (card.channels, card.strides) == (list(net.channels), list(net.strides))


@every
def test_the_last_stage_after_the_first_three_is_the_whole(name, cards):
    card, net = cards(name)
    trunk, head = (MODELS.build(card.slot(stages=stages)).eval() for stages in ((1, 2, 3), (4,)))
    maps = outputs(trunk, images(name))
    whole = outputs(net, images(name))
    assert all(torch.equal(*pair) for pair in zip([*maps, *outputs(head, maps[-1])], whole, strict=True))
    assert (trunk.channels + head.channels, trunk.strides + head.strides) == (net.channels, net.strides)
    assert sorted([*trunk.state_dict(), *head.state_dict()]) == sorted(net.state_dict())


@every
def test_low_precision_computes_nearly_the_same(name, cards):
    _, net = cards(name)
    with torch.autocast("cpu", torch.bfloat16):
        low = outputs(net, images(name))
    for one, other in zip(low, outputs(net, images(name)), strict=True):
        assert (one.float() - other).norm() < 0.05 * other.norm()
