"""The card: what is exported is what arrives, bit for bit, or is refused by name."""

import hashlib
import json
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
        ('{"name": "toy"', r"card\.json is not JSON"),
        ("[]", r"card\.json .*list.*object"),
        ("{}", r"card\.json .*backbone, channels"),
    ],
)
def test_a_corrupt_card_is_named(tmp_path, text, message):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_card(tmp_path / "card.json")


def test_a_card_with_a_key_too_many_is_refused(card):
    with pytest.raises(ValueError, match=r"card\.json .* surprise$"):
        read_card(changed(card, surprise=1))


def test_a_card_cannot_be_written_over_a_full_disk(model, card, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    before = card.weights.read_bytes()
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"\.safetensors .*No space left"):
        export(model, load("resnet50d_random"), card.folder, {}, name="toy", tier="smoke", seed=3)
    assert card.weights.read_bytes() == before and read_card(card.folder / "card.json") == card
