"""The card: what is exported is what arrives, bit for bit, or is refused by name."""

import hashlib
import json
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS
from safetensors.torch import load_file, save_file

from backbones.card import arrived_percent, feature_error, read_card
from backbones.resnet import ResNet
from classification.classifier import ImageClassifier, export, read_classifier
from classification.config import load

ARCHITECTURE = dict(type="backbones.ResNet", depth=18, tweak="bcd")


@pytest.fixture(scope="module")
def model():
    """A classifier whose batch norms have seen a batch, so that each of their tensors counts."""
    torch.manual_seed(0)
    model = ImageClassifier(ARCHITECTURE, num_classes=5).train()
    with torch.no_grad():
        model(torch.randn(4, 3, 64, 64))
    return model.eval()


@pytest.fixture
def card(model, tmp_path):
    cfg = load("resnet50d_random", {"model.backbone.depth": 18})
    return export(model, cfg, tmp_path, {"top1": 50.0, "top5": 100.0}, name="toy", tier="smoke", seed=3)


def changed(card, **changes):
    """card.json with other content."""
    path = card.folder / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


def test_an_exported_backbone_comes_back_bit_for_bit(model, card):
    again = ResNet(18, "bcd")
    again.load_state_dict(load_file(card.weights))
    assert all(torch.equal(tensor, model.backbone.state_dict()[name]) for name, tensor in again.state_dict().items())
    assert read_card(card.folder / "card.json") == card


def test_the_card_says_what_a_task_needs(card):
    assert card.sha256 == hashlib.sha256(card.weights.read_bytes()).hexdigest()
    assert card.backbone == ARCHITECTURE  # zero_gamma was an initialisation
    assert (card.channels, card.strides) == ([64, 128, 256, 512], [4, 8, 16, 32])
    assert (card.mean, card.std) == ([123.68, 116.779, 103.939], [58.393, 57.12, 57.375])
    assert (card.name, card.tier, card.seed, card.metrics["top1"]) == ("toy", "smoke", 3, 50.0)
    assert card.versions["torch"] and card.licences["code"] == "Apache-2.0"


def test_any_mm_config_can_name_the_exported_backbone(model, card):
    net = MODELS.build(card.slot(output_stride=8, norm_eval=True))
    assert net.strides == (4, 8, 8, 8) and net.norm_eval
    assert arrived_percent(card, net) == 100


def test_exported_features_equal_the_classifiers(model, card):
    assert card.feature_error == 0
    assert feature_error(model.backbone, MODELS.build(card.slot())) == 0
    again = read_classifier(card.folder / "card.json").eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():  # in one memory format: another rounds otherwise
        assert torch.equal(*(net.to(memory_format=torch.channels_last)(x) for net in (again, model)))


def test_a_tensor_that_differs_lowers_what_arrived(card):
    net = MODELS.build(card.slot())
    tensors = len(load_file(card.weights))
    with torch.no_grad():
        net.stage2[0].path[0].conv.weight[0, 0, 0, 0] += 1
    assert arrived_percent(card, net) == pytest.approx(100 * (tensors - 1) / tensors)
    trunk, head = (MODELS.build(card.slot(stages=stages)) for stages in ((1, 2, 3), (4,)))
    assert arrived_percent(card, trunk, head) == 100 > arrived_percent(card, trunk)


def test_weights_changed_after_the_export_are_refused(card):
    state = load_file(card.weights)
    save_file({name: tensor + 1 for name, tensor in state.items()}, card.weights)
    with pytest.raises(ValueError, match=r"backbone\.safetensors .*sha256.*export"):
        MODELS.build(card.slot())


def test_features_that_differ_show_as_an_error(model, card):
    trunk = ResNet(18, "bcd")
    trunk.load_state_dict(model.backbone.state_dict())
    with torch.no_grad():
        trunk.stage4[1].path[1].bn.bias += 0.5
    assert feature_error(trunk, MODELS.build(card.slot())) > 0.1


def test_a_missing_card_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"/card\.json .*tools/train\.py"):
        read_card(tmp_path / "card.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"name": "toy"', r"card\.json is not a backbone's card: Expecting"),
        ("[]", r"card\.json .*\[\].*dictionary"),
        ("{}", r"card\.json .*'name': Field required"),
        ('{"name": "toy", "name": "toy"}', r"card\.json .*'name' occurs twice"),
    ],
)
def test_a_corrupt_card_is_named(tmp_path, text, message):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_card(tmp_path / "card.json")


def test_a_card_with_a_key_too_many_is_refused(card):
    with pytest.raises(ValueError, match=r"card\.json .* 'surprise'"):
        read_card(changed(card, surprise=1))


FAULTS = {  # what is named: the change
    "'channels' is 'x'": dict(channels="x"),
    r"'channels' is \[64, 128, 256, -1\]": dict(channels=[64, 128, 256, -1]),
    r"'channels' is \[64, 128, 256, 1000000000\], its backbone has \[64, 128, 256, 512\]": dict(
        channels=[64, 128, 256, 10**9]
    ),
    r"'strides' is \[4, 8, 16, 16\], its backbone has \[4, 8, 16, 32\]": dict(strides=[4, 8, 16, 16]),
    "'strides' is None": dict(strides=None),
    "'mean' is None": dict(mean=None),
    "'mean.1' is nan": dict(mean=[1, float("nan"), 1]),
    "'std.0' is 0": dict(std=[0, 1, 1]),
    r"'std' is \[1, 1\]": dict(std=[1, 1]),
    "'feature_error' is inf": dict(feature_error=float("inf")),
    "'metrics.top1' is 101": dict(metrics={"top1": 101}),
    "'seed' is -1": dict(seed=-1),
    "'sha256' is 'short'": dict(sha256="short"),
    "'backbone' must have a type": dict(backbone={}),
    "'backbone' must have .* no weights": dict(backbone=ARCHITECTURE | dict(weights="/etc/passwd")),
    "backbones.ResNet does not take .*'dept'": dict(backbone=ARCHITECTURE | dict(dept=18)),
    "backbones.ResNet does not take .*'_scope_'": dict(backbone=ARCHITECTURE | dict(_scope_="hub")),
    "depth='x'": dict(backbone=ARCHITECTURE | dict(depth="x")),
    "backbone 'ResNet' does not exist": dict(backbone=dict(type="ResNet", depth=18)),
    "checkpoint_path would load": dict(
        backbone=dict(type="backbones.Timm", model="resnet18", options=dict(checkpoint_path="evil.pth"))
    ),
}


@pytest.mark.parametrize("named", FAULTS)
def test_a_card_that_cannot_be_true_is_refused_by_name(card, named):
    path = changed(card, **FAULTS[named])
    with pytest.raises(ValueError, match=rf"card\.json is not a backbone's card: .*{named}") as caught:
        read_card(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["hub.Network", "hub", "torch.hub.load", "mmdet.ResNet", "backbones.hub"])
def test_a_card_can_name_registered_backbones_alone_and_no_module_is_imported(card, tmp_path, monkeypatch, name):
    (tmp_path / "hub.py").write_text("open('pwned', 'w')\nclass Network: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=rf"card\.json .*backbone '{name}' does not exist; .*backbones\."):
        read_card(changed(card, backbone=dict(type=name)))
    assert not Path("pwned").exists() and "hub" not in sys.modules


def test_weights_that_are_not_finite_are_neither_exported_nor_loaded(model, card):
    state = load_file(card.weights)
    state["stem.0.conv.weight"][0, 0, 0, 0] = float("nan")
    save_file(state, card.weights)
    with pytest.raises(ValueError, match=r"stem\.0\.conv\.weight holds NaN"):
        MODELS.build(dict(card.backbone, weights=str(card.weights)))
    before = card.weights.read_bytes()
    diverged = ImageClassifier(ARCHITECTURE, num_classes=5)
    torch.nn.init.constant_(diverged.backbone.stage1[0].path[0].bn.weight, float("inf"))
    with pytest.raises(ValueError, match=r"stage1.* holds NaN or infinity"):
        export(diverged, load("resnet50d_random"), card.folder, {}, name="toy", tier="smoke", seed=3)
    assert card.weights.read_bytes() == before


def test_weights_that_give_nan_write_nothing_and_are_named(tmp_path):
    broken = ImageClassifier(ARCHITECTURE, num_classes=5)
    broken.backbone.get_buffer("stage2.0.path.0.bn.running_var").fill_(-1)
    with pytest.raises(ValueError, match=r"maps of NaN .*: variances below 0 in stage2\.0\.path\.0\.bn\.running_var; "):
        export(broken, load("resnet50d_random"), tmp_path, {}, name="toy", tier="smoke", seed=3)
    assert not any(tmp_path.iterdir())


def test_a_card_cannot_be_written_over_a_full_disk(model, card, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    before = card.weights.read_bytes()
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"\.safetensors .*No space left"):
        export(model, load("resnet50d_random"), card.folder, {}, name="toy", tier="smoke", seed=3)
    assert card.weights.read_bytes() == before and read_card(card.folder / "card.json") == card
