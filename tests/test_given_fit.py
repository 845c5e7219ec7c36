"""A backbone is found in anyone's checkpoint, and all of it is accounted for; else one line says what is wrong."""

import re
from argparse import Namespace

import pytest
import timm
import torch
from torchvision import models

from backbones.given.fit import fit
from backbones.resnet import ResNet
from backbones.timm_adapter import Timm
from classification.classifier import ImageClassifier


@pytest.fixture(scope="module")
def net():
    """A small backbone; its checkpoints are those of the classifier below."""
    return Timm("resnet10t")


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return timm.create_model("resnet10t", num_classes=7).state_dict()


def prefixed(prefix, state):
    return {prefix + name: tensor for name, tensor in state.items()}


def without(state, pattern):
    return {name: tensor for name, tensor in state.items() if not re.search(pattern, name)}


def compiled(state):
    """As torch.compile of each stage names its tensors."""
    return {re.sub(r"^(layer\d)", r"\1._orig_mod", name): tensor for name, tensor in state.items()}


def arrived(fitted, state):
    return all(torch.equal(each, state[name.removeprefix("net.")]) for name, each in fitted.trunk.items())


WRAPPED = {  # who writes such checkpoints: (the file, what is told of it)
    "timm": (lambda s: s, "read as torchvision's and timm's names"),
    "timm's training": (lambda s: {"state_dict": s, "optimizer": {"state": {0: {"m": torch.zeros(2)}}}}, "state_dict."),
    "timm's average": (lambda s: {"state_dict_ema": s, "epoch": 3}, "behind state_dict_ema."),
    "torchvision's training": (lambda s: {"model": s, "args": Namespace(lr=0.1)}, "behind model."),
    "data parallel": (lambda s: {"state_dict": prefixed("module.", s)}, "behind state_dict.module."),
    "torch.compile": (lambda s: prefixed("_orig_mod.", s), "without torch's wrappers"),
    "torch.compile of parts": (lambda s: {"model": prefixed("module.", compiled(s))}, "without torch's wrappers"),
    "Lightning": (lambda s: {"state_dict": prefixed("model.", s)}, "behind state_dict.model."),
    "an encoder": (lambda s: prefixed("encoder.", s), "behind encoder."),
    "MoCo": (lambda s: {"state_dict": prefixed("module.encoder_q.", s)}, "behind state_dict.module.encoder_q."),
    "MoCo v3": (lambda s: prefixed("module.base_encoder.", s), "behind module.base_encoder."),
    "DINO": (lambda s: {"teacher": prefixed("backbone.", s)}, "behind teacher.backbone."),
    "DINOv2": (lambda s: {"model": prefixed("student.backbone.", s)}, "behind model.student.backbone."),
    "before counters": (
        lambda s: without(s, "num_batches_tracked"),
        "matched 70 of the backbone's 70 tensors (100.0%)",
    ),
    "half precision": (lambda s: {n: t.half() if t.is_floating_point() else t for n, t in s.items()}, "torch.float16"),
}


@pytest.mark.parametrize("writer", WRAPPED)
def test_what_wraps_the_weights_is_read_through_and_told(net, state, writer):
    wrap, told = WRAPPED[writer]
    fitted = fit(wrap(state), "x.pth", net)
    assert told in "\n".join(fitted.report)
    kept = {name: each.half().to(each.dtype) for name, each in state.items()} if "half" in writer else state
    kept = {name: 0 * each if "before" in writer and "num_batches" in name else each for name, each in kept.items()}
    assert fitted.trunk.keys() == net.state_dict().keys() and arrived(fitted, kept)
    assert all(each.dtype == net.state_dict()[name].dtype for name, each in fitted.trunk.items())
    assert {name: tuple(each.shape) for name, each in fitted.head.items()} == {"fc.weight": (7, 512), "fc.bias": (7,)}


def test_our_classifiers_checkpoint_is_read_with_its_head():
    torch.manual_seed(0)
    model = ImageClassifier(dict(type="backbones.ResNet", depth=18, tweak="bcd"), 5)
    fitted = fit({"state_dict": model.state_dict(), "meta": {"epoch": 1}}, "x.pth", ResNet(18, tweak="bcd"))
    assert all(torch.equal(each, model.backbone.state_dict()[name]) for name, each in fitted.trunk.items())
    assert fitted.head.keys() == {"head.weight", "head.bias"}
    assert fitted.report[0] == "read as the network's own names behind state_dict.backbone."


def test_weights_that_fit_two_variants_alike_are_told():
    state = ResNet(26, tweak="b").state_dict()
    assert "with and without tweak B alike" in fit(state, "x.pth", ResNet(26, tweak="b")).report[-1]


SEVERAL = {  # the networks in one file: (the file, the parts that are named)
    "an average": (lambda s: {"model": s, "model_ema": s}, ["model", "model_ema"]),
    "two encoders": (
        lambda s: {"state_dict": prefixed("module.encoder_q.", s) | prefixed("module.encoder_k.", s)},
        ["state_dict.module.encoder_q", "state_dict.module.encoder_k"],
    ),
    "student and teacher": (
        lambda s: {"student": prefixed("module.backbone.", s), "teacher": prefixed("backbone.", s)},
        ["student.module.backbone", "teacher.backbone"],
    ),
    "one without a prefix": (lambda s: s | prefixed("ema.", s), ["(no prefix)", "ema"]),
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_of_several_networks_one_must_be_named(net, state, kind):
    wrap, parts = SEVERAL[kind]
    with pytest.raises(ValueError, match=rf"^x\.pth holds 2 such networks: {re.escape(', '.join(parts))}; .*--part$"):
        fit(wrap(state), "x.pth", net)
    other = {name: each + 1 for name, each in state.items()}
    held = {"model": state, "model_ema": other}
    for part, expected in (("model", state), ("model_ema", other), ("model_ema.", other)):
        assert arrived(fit(held, "x.pth", net, part), expected)
    for part in parts:
        assert fit(wrap(state), "x.pth", net, part).head.keys() >= {"fc.weight", "fc.bias"}


def test_another_network_in_the_file_is_none_that_fits(net, state):
    other = timm.create_model("resnet18", num_classes=7).state_dict()
    fitted = fit({"student": state, "teacher": other}, "x.pth", net)
    assert arrived(fitted, state) and "behind student." in fitted.report[0]


def test_what_is_beside_the_backbone_is_its_head_and_no_other_network(net, state):
    trunk, head = without(state, "^fc"), {"head.fc.weight": torch.zeros(3, 512), "head.fc.bias": torch.zeros(3)}
    held = prefixed("backbone.", trunk) | head | prefixed("target_net.", trunk)
    assert fit(held, "x.pth", net, "backbone").head.keys() == head.keys()
    assert fit({"model": prefixed("backbone.", trunk), "queue": torch.zeros(9)}, "x.pth", net).head == {}


def test_missing_tensors_are_an_error_unless_they_are_named(net, state):
    held = without(state, r"^layer4|bn1\.num_batches")
    with pytest.raises(
        ValueError,
        match=r"^x\.pth is not all of timm/resnet10t: 55 of 70 .*lacks layer4\.0\.bn1\.bias.*more; .*--allow-missing",
    ):
        fit(held, "x.pth", net)
    for pattern in ("layer4.*", "net.layer4.*"):  # the checkpoint's names, the backbone's
        fitted = fit(held, "x.pth", net, allow_missing=[pattern])
        assert "matched 55 of the backbone's 70 tensors" in fitted.report[1]
        assert re.search("missing.*the backbone's start is kept: net.layer4.*and 11 more", fitted.report[2])
        assert torch.equal(fitted.trunk["net.layer4.0.conv1.weight"], net.state_dict()["net.layer4.0.conv1.weight"])
    with pytest.raises(ValueError, match=r"--allow-missing layer9\.\* names no tensor"):
        fit(held, "x.pth", net, allow_missing=["layer4.*", "layer9.*"])


def test_a_smaller_network_of_the_same_names_is_another_architecture():
    held = timm.create_model("resnet18").state_dict()
    with pytest.raises(
        ValueError, match=r"^x\.pth is of another architecture than .*34: .*; it looks like a ResNet-18$"
    ):
        fit(held, "x.pth", Timm("resnet34"))


def test_even_if_all_may_be_missing_the_network_that_is_there_is_taken(net, state):
    held = {"a": without(state, "^layer4"), "b": prefixed("norms.", {"bn1.weight": torch.ones(64)})}
    fitted = fit(held, "x.pth", net, allow_missing=["*"])
    assert "behind a." in fitted.report[0] and "matched 55 of" in fitted.report[1]


def test_tensors_left_over_in_the_backbones_layers_are_an_error_unless_they_are_named():
    held = timm.create_model("resnet34").state_dict()  # all of ResNet-18, and more
    with pytest.raises(ValueError, match=r"also has layer1\.2\.bn1\.bias, .* and .* more; it looks like a ResNet-34$"):
        fit(held, "x.pth", Timm("resnet18"))
    fitted = fit(held, "x.pth", Timm("resnet18"), allow_missing=["layer?.[2-9].*"])
    assert any(line.startswith("left over in the backbone's layers: layer1.2.bn1.bias") for line in fitted.report)


def test_tensors_that_were_not_trained_may_be_left_over(net, state):
    fitted = fit(state | {"layer1.0.total_ops": torch.zeros(1)}, "x.pth", net)
    assert "left over in the backbone's layers: layer1.0.total_ops" in fitted.report


def test_shapes_that_differ_by_ones_are_reshaped_and_told():
    torch.manual_seed(0)
    net = Timm("mobilenetv3_small_050")
    state = timm.create_model("mobilenetv3_small_050").state_dict()
    name = "blocks.0.0.conv_pw.weight"
    out, inp = state[name].shape[:2]
    fitted = fit(state | {name: state[name].flatten(1)}, "x.pth", net)
    assert f"reshaped: {name} ({out}, {inp}) to ({out}, {inp}, 1, 1)" in fitted.report
    assert torch.equal(fitted.trunk["net.blocks_0.0.conv_pw.weight"], state[name])


FAULTS = {  # what is told: what is wrong
    "layer1.0.conv1.weight (64, 64, 5, 5) for (64, 64, 3, 3)": {"layer1.0.conv1.weight": torch.zeros(64, 64, 5, 5)},
    "layer1.0.bn1.bias holds NaN": {"layer1.0.bn1.bias": torch.full((64,), float("nan"))},
    "layer1.0.bn1.bias is not a dense tensor of real numbers": {"layer1.0.bn1.bias": torch.zeros(64) * 1j},
    "whole numbers in layer1.0.bn1.bias": {"layer1.0.bn1.bias": torch.zeros(64).long()},
    "fc.bias holds NaN": {"fc.bias": torch.full((7,), float("inf"))},
}


@pytest.mark.parametrize("told", FAULTS)
def test_a_tensor_at_fault_is_named(net, state, told):
    with pytest.raises(ValueError, match=rf"^x\.pth.*{re.escape(told)}[^\n]*$"):
        fit(state | FAULTS[told], "x.pth", net)


def zeros(net):
    """A state dict that takes no memory."""
    return {name: torch.zeros(()).expand(each.shape) for name, each in net.state_dict().items()}


LOOKS = {  # a network's maker: what its checkpoint looks like
    "resnet50": (timm, "a ResNet-50 or ResNeXt-50"),
    "resnet101": (models, "a ResNet-101 or ResNeXt-101"),
    "resnet18d": (timm, "a ResNet-18-D"),
    "resnet50c": (timm, "a ResNet-50-C or ResNeXt-50-C"),
    "vit_tiny_patch16_224": (timm, "a vision transformer of 12 blocks"),
    "vit_b_32": (models, "a vision transformer of 12 blocks"),
    "convnext_atto": (timm, "a ConvNeXt of 12 blocks"),
    "convnext_tiny": (models, "a ConvNeXt of 18 blocks"),
    "swin_tiny_patch4_window7_224": (timm, "a Swin transformer of 12 blocks"),
    "swin_t": (models, "a Swin transformer of 12 blocks"),
    "tf_efficientnet_lite0": (timm, "an EfficientNet or MobileNet of 16 blocks"),
    "efficientnet_b0": (models, "an EfficientNet or MobileNet of 16 blocks"),
    "mobilenet_v2": (models, "a MobileNetV2 of 17 blocks"),
    "mobilenet_v3_small": (models, "an EfficientNet or MobileNet of 11 blocks"),
    "densenet121": (models, "a DenseNet of 58 layers"),
    "regnetx_002": (timm, "a RegNet of 13 blocks"),
    "hrnet_w18_small": (timm, "an HRNet"),
    "vgg11": (models, "a VGG"),
}


@pytest.mark.parametrize("name", LOOKS)
def test_of_another_architecture_it_is_said_which_it_looks_like(net, name):
    source, kind = LOOKS[name]
    with torch.device("meta"):
        held = source.create_model(name) if source is timm else source.get_model(name)
    with pytest.raises(ValueError, match=rf"^x\.pth [^\n]*; it looks like {kind}$"):
        fit({"model": zeros(held)}, "x.pth", net)


def test_a_resnet_of_another_tweak_is_told():
    with pytest.raises(ValueError, match=r"^x\.pth .* than ResNet-18-C: .*; it looks like a ResNet-18-D of ours$"):
        fit(ResNet(18, tweak="bcd").state_dict(), "x.pth", ResNet(18, tweak="bc"))


@pytest.mark.parametrize(
    "name",
    ["vit_tiny_patch16_224", "cspnext_tiny", "hrnet_w18_small", "vgg11_bn", "convnext_atto"]
    + ["mobilenetv4_conv_small", "ghostnet_050", "dpn48b", "legacy_xception"],  # the last three are cut short
)
def test_timms_checkpoints_fit_its_feature_extractors_of_all_kinds(name):
    with torch.device("meta"):
        net, whole = Timm(name), timm.create_model(name)
    state = zeros(whole)
    fitted = fit(state, "x.pth", net)
    assert len(fitted.trunk) + len(fitted.head) == len(state) and "(100.0%)" in fitted.report[1]


@pytest.mark.parametrize("held", [[torch.ones(1)], {}, {"epoch": 3}, {0: torch.ones(1)}, torch.ones(1)])
def test_what_holds_no_weights_is_refused_in_one_line(net, held):
    with pytest.raises(ValueError, match=r"^x\.pth [^\n]*$"):
        fit(held, "x.pth", net)
