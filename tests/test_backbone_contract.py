"""One contract for every backbone that a recipe names, and a few more of timm's families."""

import json
from functools import cache

import pytest
import torch
from torch import nn

from backbones import contract
from backbones.registry import MODELS, by_name, sketch
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


@cache
def trained(name):
    """A network whose batch norms are as after training."""
    torch.manual_seed(0)
    net = MODELS.build(CONFIGS[name])
    for _, norm in net.norms():
        nn.init.uniform_(norm.weight, 0.5, 1.0)
        nn.init.normal_(norm.running_mean, 0, 0.1)
    return net.eval()


def px(name):
    return 112 if name == NOT_PADDED else 64  # it takes no less than 75, and 107 for a last map of 2x2


@every
@pytest.mark.parametrize("output_stride", [32, 16, 8])
def test_strides_and_channels_are_those_of_the_maps(name, output_stride):
    if name in UNDILATED and output_stride < 32:
        with pytest.raises(ValueError, match=f"timm/{name}.*output_stride={output_stride}"):
            contract.maps(CONFIGS[name], output_stride)
        return
    assert contract.maps(CONFIGS[name], output_stride)
    net = sketch(CONFIGS[name] | {"output_stride": output_stride})
    assert net.strides == tuple(min(stride, output_stride) for stride in (4, 8, 16, 32))
    maps = net(torch.zeros(1, 3, 128, 192, device="meta"))
    assert [each.shape[1] for each in maps] == list(net.channels)
    if name != NOT_PADDED:
        assert [each.shape[2:] for each in maps] == [(128 // stride, 192 // stride) for stride in net.strides]


@every
def test_no_option_changes_a_name_or_a_shape(name):
    assert contract.names(CONFIGS[name])


@every
def test_gradients_reach_every_parameter(name):
    assert contract.gradients(CONFIGS[name], px(name))


@every
def test_frozen_stages_freeze_what_the_first_map_comes_from_and_its_statistics(name):
    assert contract.frozen_stages(CONFIGS[name], px(name))


@every
def test_norm_eval_freezes_all_batch_norms_and_nothing_else(name):
    assert contract.norm_eval(CONFIGS[name])


@every
def test_an_export_comes_back_bit_for_bit(name, tmp_path):
    assert contract.export(CONFIGS[name], trained(name), tmp_path, px(name))


@every
def test_the_last_stage_after_the_first_three_is_the_whole(name):
    assert contract.last_stage(CONFIGS[name], trained(name), px(name))


@every
def test_low_precision_computes_nearly_the_same_and_the_same_twice(name):
    assert contract.low_precision(CONFIGS[name], trained(name), px(name))
    assert contract.repeats(CONFIGS[name], trained(name), px(name))
