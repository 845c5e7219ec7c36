"""Our ResNet against timm, torchvision, mmseg and the paper's Table 5."""

import math

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from backbones.base import gmacs, params_m
from backbones.naming import from_timm, to_timm
from backbones.resnet import BLOCKS, Residual, ResNet
from classification.classifier import ImageClassifier

OPTIONS = [dict(output_stride=16), dict(output_stride=8), dict(frozen_stages=2), dict(norm_eval=True),
           dict(zero_gamma=True)]  # fmt: skip


def classifier(depth, tweak, num_classes=10):
    backbone = dict(type="backbones.ResNet", depth=depth, tweak=tweak)
    return ImageClassifier(backbone=backbone, num_classes=num_classes)


def randomise(model, seed=0):
    """Weights as they come, but batch norms as after training, so that each of their four tensors counts."""
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, 0, 0.1)
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model.eval()


def images(px=64, count=2):
    return torch.randn(count, 3, px, px, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def assert_same(ours, theirs, inputs=None):
    inputs = images() if inputs is None else inputs
    torch.testing.assert_close(ours(inputs), theirs(inputs), rtol=1e-5, atol=1e-5)


# Table 5 in full digits: facts of the models published by the paper's authors, counted layer by layer
@pytest.mark.parametrize(
    ("depth", "tweak", "params", "multiply_adds"),
    [
        (50, "", 25_557_032, 3.858),
        (50, "b", 25_557_032, 4.089),
        (50, "bc", 25_576_264, 4.329),
        (50, "bcd", 25_576_264, 4.329),
        (101, "bcd", 44_568_392, 8.041),
        (152, "bcd", 60_212_040, 11.753),
    ],
)
def test_parameters_and_multiply_adds_are_those_of_table_5(depth, tweak, params, multiply_adds):
    with torch.device("meta"):  # shapes only
        model = classifier(depth, tweak, num_classes=1000)
    assert params_m(model) * 1e6 == params
    assert gmacs(model, 224) == pytest.approx(multiply_adds, abs=5e-4)


@pytest.mark.parametrize(
    ("depth", "tweak", "name"),
    [
        (50, "b", "resnet50"),
        (50, "bc", "resnet50c"),
        (50, "bcd", "resnet50d"),
        (26, "bcd", "resnet26d"),
        (18, "b", "resnet18"),
        (34, "b", "resnet34"),
        (18, "bcd", "resnet18d"),
        (34, "bcd", "resnet34d"),
    ],
)
def test_logits_equal_timms_and_the_weights_travel_both_ways(depth, tweak, name):
    theirs = randomise(timm.create_model(name, num_classes=10))
    ours = classifier(depth, tweak).eval()
    ours.load_state_dict(from_timm(theirs.state_dict(), ours))
    assert_same(ours, theirs)
    again = timm.create_model(name, num_classes=10).eval()
    again.load_state_dict(to_timm(randomise(ours, seed=2)))  # strict
    assert_same(again, ours)


def test_logits_equal_torchvisions_resnet50():
    theirs = randomise(torchvision.models.resnet50(num_classes=10))
    ours = classifier(50, "b").eval()
    ours.load_state_dict(from_timm(theirs.state_dict(), ours))
    assert_same(ours, theirs)


def test_the_original_strides_in_its_first_1x1():
    """Fig. 1: torchvision's network once its strides are moved from the 3x3 to the first 1x1."""
    theirs = randomise(torchvision.models.resnet50(num_classes=10))
    for stage in (theirs.layer2, theirs.layer3, theirs.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    ours = classifier(50, "").eval()
    ours.load_state_dict(from_timm(theirs.state_dict(), classifier(50, "b")))  # the same names
    assert_same(ours, theirs)


@pytest.mark.parametrize("depth", [26, 50, 101, 152])
def test_weights_do_not_travel_between_the_original_strides_and_timms(depth):
    """timm's and torchvision's ResNet are tweak B, so the weights would fit and the logits would not."""
    with torch.device("meta"):
        ours, b = classifier(depth, ""), classifier(depth, "b")
        theirs = to_timm(b)
    assert from_timm(theirs, b).keys() == ours.state_dict().keys()
    for travel in (lambda: to_timm(ours), lambda: from_timm(theirs, ours), lambda: to_timm(ours.backbone)):
        with pytest.raises(ValueError, match=rf"ResNet-{depth} .*1x1.*3x3.* resnet50b_efficient"):
            travel()


def test_weights_older_than_the_counters_of_batch_norm_are_read():
    ours = classifier(18, "b")
    state = torchvision.models.resnet18(num_classes=10).state_dict()
    old = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    ours.load_state_dict(from_timm(old, ours))  # strict


def test_timms_weights_of_another_architecture_are_refused():
    ours = classifier(18, "b")
    with pytest.raises(ValueError, match=r"architecture.* conv1\.0\.weight"):
        from_timm(timm.create_model("resnet18d", num_classes=10).state_dict(), ours)


def test_dilated_maps_equal_mmsegs_resnet_v1d():
    from mmseg.models.backbones import ResNetV1d

    theirs = ResNetV1d(
        depth=50, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4), contract_dilation=True, norm_cfg=dict(type="BN")
    )
    randomise(theirs)
    ours = ResNet(50, "bcd", output_stride=8).eval()
    with torch.no_grad():  # both list their layers in the order they are applied, the shortcut's apart
        for pick in (lambda name: name, lambda name: not name):
            layers = [
                [m for n, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)
                 and pick("downsample" not in n and "shortcut" not in n)]
                for net in (ours, theirs)
            ]  # fmt: skip
            copy(*layers)
    assert_same(ours, theirs, images(px=72))


@torch.no_grad()
def a_trous_error(depth, tweak, output_stride, strided):
    """How far the dilated map, at every position that the strides keep, is from the map of stride 32; relative."""
    dilated = ResNet(depth, tweak, output_stride=output_stride).double().eval()
    dilated.load_state_dict(strided.state_dict())
    x = torch.randn(1, 3, 97, 128, dtype=torch.float64)  # maps of odd and of even sizes
    step = 32 // output_stride
    expected, found = strided(x)[-1], dilated(x)[-1][..., ::step, ::step]
    return float((found - expected).norm() / expected.norm())


# Holschneider et al. 1989; Chen et al. 2018 (DeepLab), sec. 3.1: the dilated network computes the same, more densely
@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize("tweak", ["", "b", "bc"])
@pytest.mark.parametrize("depth", [18, 34, 26, 50])
def test_a_dilated_map_holds_the_map_of_stride_32(depth, tweak, output_stride):
    assert a_trous_error(depth, tweak, output_stride, randomise(ResNet(depth, tweak)).double()) < 1e-12


@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize("depth", [18, 34, 26, 50])
def test_with_tweak_d_a_dilated_map_differs_only_by_the_shortcuts_average(depth, output_stride):
    """The authors' pooling has the stride's size, so without a stride there is none (mmseg's too, see above)."""
    strided = randomise(ResNet(depth, "bcd")).double()
    assert 0.01 < a_trous_error(depth, "bcd", output_stride, strided) < 0.2
    for stage in (strided.stage3, strided.stage4)[-2 if output_stride == 8 else -1 :]:
        stage[0].shortcut[0] = nn.AvgPool2d(1, 2)  # the stride without its average
    assert a_trous_error(depth, "bcd", output_stride, strided) < 1e-12


def copy(ours, theirs):
    """Convolutions in order, then batch norms in order."""
    for kind in (nn.Conv2d, nn.BatchNorm2d):
        pairs = [[m for m in layers if isinstance(m, kind)] for layers in (ours, theirs)]
        for one, other in zip(*pairs, strict=True):
            one.load_state_dict(other.state_dict())


@pytest.mark.parametrize(("output_stride", "strides"), [(32, (4, 8, 16, 32)), (16, (4, 8, 16, 16)), (8, (4, 8, 8, 8))])
@pytest.mark.parametrize("depth", [18, 50])
def test_strides_and_channels_are_those_of_the_maps(depth, output_stride, strides):
    net = ResNet(depth, "bcd", output_stride=output_stride).eval()
    maps = net(images(px=64, count=1))
    assert net.strides == strides
    assert [m.shape[1:] for m in maps] == [(c, 64 // s, 64 // s) for c, s in zip(net.channels, strides, strict=True)]


@pytest.mark.parametrize("tweak", ["", "b", "bc", "bcd"])
def test_no_option_changes_a_parameters_name(tweak):
    plain = {name: tensor.shape for name, tensor in ResNet(50, tweak).state_dict().items()}
    for options in OPTIONS:
        assert {name: tensor.shape for name, tensor in ResNet(50, tweak, **options).state_dict().items()} == plain


def test_stage_4_after_stages_1_to_3_is_the_whole(tmp_path):
    whole = randomise(ResNet(18, "bcd"))
    save_file(whole.state_dict(), tmp_path / "backbone.safetensors")
    trunk, head = (ResNet(18, "bcd", s, weights=tmp_path / "backbone.safetensors").eval() for s in ((1, 2, 3), (4,)))
    with torch.no_grad():
        assert torch.equal(head(trunk(images())[-1])[0], whole(images())[-1])
    assert trunk.state_dict().keys() | head.state_dict().keys() == whole.state_dict().keys()
    assert not trunk.state_dict().keys() & head.state_dict().keys()


@pytest.mark.parametrize("depth", [18, 50])
def test_zero_gamma_leaves_of_each_block_its_shortcut(depth):
    net = ResNet(depth, "bcd", zero_gamma=True)
    blocks = [module for module in net.modules() if isinstance(module, Residual)]
    assert len(blocks) == sum(BLOCKS[depth])
    for block in blocks:
        x = torch.rand(2, block.path[0].conv.in_channels, 8, 8)  # not negative, as after a ReLU
        torch.testing.assert_close(block(x), block.shortcut(x).relu(), rtol=0, atol=0)


def test_weights_start_from_xaviers_uniform():
    """Sec. 2.1: U[-a, a], a = sqrt(6 / (d_in + d_out)); the kernel's area counts in both."""
    torch.manual_seed(0)
    for module in ResNet(50, "bcd").modules():
        if isinstance(module, nn.Conv2d):
            area = math.prod(module.kernel_size)
            a = math.sqrt(6 / ((module.in_channels + module.out_channels) * area))
            assert module.weight.abs().max() <= a
            assert module.weight.std().item() == pytest.approx(a / math.sqrt(3), rel=0.05)
    assert all(norm.weight.eq(1).all() and norm.bias.eq(0).all() for _, norm in ResNet(18).norms())
