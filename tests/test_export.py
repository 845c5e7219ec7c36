"""tools/export.py: what others' checkpoints hold becomes a card, or one line says what they lack and what to do."""

import json
import sys
from argparse import Namespace

import pytest
import timm
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file

from backbones.card import read_card
from backbones.naming import to_timm
from classification.classifier import ImageClassifier, read_classifier
from trick_transfer import command_line
from trick_transfer.commands import export
from trick_transfer.engine.files import file_sha256

RECIPE = ["resnet50d_cosine", "--set", "model.backbone.depth=18"]


@pytest.fixture(scope="module")
def theirs():
    """A classifier of timm's, its batch norms moved off their start."""
    torch.manual_seed(0)
    net = timm.create_model("resnet18d", num_classes=10)
    with torch.no_grad():
        net.train()(torch.randn(4, 3, 64, 64))
    return net


@pytest.fixture
def tool(monkeypatch, tmp_path, capsys):
    """Exports a checkpoint to `out`: the exit code, and the lines on stderr."""

    def start(data, *words, recipe=RECIPE):
        torch.save(data, tmp_path / "a.pth")
        options = ["--checkpoint", str(tmp_path / "a.pth"), "--out", str(tmp_path / "out"), *words]
        monkeypatch.setattr(sys, "argv", ["tools/export.py", *recipe, *options])
        return command_line.tool(export.main), capsys.readouterr().err.splitlines()

    return start


def prefixed(prefix, state):
    return {prefix + name: tensor for name, tensor in state.items()}


def headless(state):
    return {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}


def resized(state, classes):
    return headless(state) | {"fc.weight": torch.zeros(classes, 512), "fc.bias": torch.zeros(classes)}


FITTING = {  # who writes such checkpoints: (the file, further options)
    "timm": (lambda s: s, ()),
    "timm's training": (lambda s: {"state_dict": s, "args": Namespace(lr=1), "optimizer": {"state": {}}}, ()),
    "torchvision's training": (lambda s: {"model": s, "args": Namespace(lr=0.1), "epoch": 3}, ()),
    "data parallel": (lambda s: {"state_dict": prefixed("module.", s)}, ()),
    "MoCo": (lambda s: {"state_dict": prefixed("module.encoder_q.", s)}, ()),
    "EMA": (lambda s: {"model": resized(s, 10), "model_ema": s}, ("--part", "model_ema")),
    "DINO": (lambda s: dict.fromkeys(("student", "teacher"), prefixed("backbone.", headless(s))),
             ("--part", "teacher", "--no-head")),
    "mmpretrain": (lambda s: prefixed("backbone.", headless(s)), ("--no-head",)),
    "other classes": (lambda s: resized(s, 1000), ("--no-head",)),
}  # fmt: skip


@pytest.mark.parametrize("writer", FITTING)
def test_a_backbone_of_anyones_checkpoint_arrives_bit_for_bit(tool, tmp_path, theirs, writer):
    wrap, words = FITTING[writer]
    code, lines = tool(wrap(theirs.state_dict()), "--timm", *words)
    assert code == 0, lines
    card = read_card(tmp_path / "out" / "card.json")
    ours = ImageClassifier(card.backbone, 10)
    ours.backbone.load(card.weights, card.sha256)
    arrived = to_timm(ours.backbone)
    assert arrived.keys() == headless(theirs.state_dict()).keys()
    assert all(torch.equal(tensor, theirs.state_dict()[name]) for name, tensor in arrived.items())
    if "--no-head" not in words:
        head = load_file(tmp_path / "out" / "head.safetensors")
        assert torch.equal(head["weight"], theirs.fc.weight) and torch.equal(head["bias"], theirs.fc.bias)


MISFITS = {  # what is told, and the fix: (the file, further options)
    ("no head", "10 classes", "--no-head"): (headless, ["--timm"]),
    ("1000 classes", "the recipe's 10", "--set model.num_classes=1000", "--no-head"): (
        lambda s: resized(s, 1000), ["--timm"]
    ),
    ("timm's names", "add --timm"): (lambda s: {"state_dict": prefixed("module.", s)}, []),
    ("our names", "leave out --timm"): (
        lambda s: ImageClassifier(dict(type="backbones.ResNet", depth=18, tweak="bcd"), 10).state_dict(), ["--timm"]
    ),
    ("2 such networks: model, model_ema", "--part"): (lambda s: {"model": s, "model_ema": s}, ["--timm"]),
    ("not all of ResNet-18-D", "lacks layer1.0.conv1.weight"): (
        lambda s: {name: tensor for name, tensor in s.items() if name != "layer1.0.conv1.weight"}, ["--timm"]
    ),
    ("another architecture", "also has layer1.2.conv1.weight"): (
        lambda s: s | {"layer1.2.conv1.weight": s["layer1.1.conv1.weight"]}, ["--timm", "--no-head"]
    ),
    ("other shapes", "conv1.0.weight (32, 3, 5, 5) for (32, 3, 3, 3)"): (
        lambda s: s | {"conv1.0.weight": torch.zeros(32, 3, 5, 5)}, ["--timm"]
    ),
    ("none of the network's names", "features.0"): (lambda s: {"features.0.weight": torch.zeros(2)}, ["--timm"]),
    ("layer1.0.bn1.bias holds NaN", "lower rate"): (
        lambda s: s | {"layer1.0.bn1.bias": torch.full((64,), float("nan"))}, ["--timm"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("told", MISFITS, ids=lambda told: told[0])
def test_what_a_checkpoint_lacks_is_told_in_one_line_with_the_fix(tool, tmp_path, theirs, told):
    make, words = MISFITS[told]
    code, lines = tool(make(theirs.state_dict()), *words)
    assert code == 2 and lines[-1].startswith("error: ") and str(tmp_path / "a.pth") in lines[-1]
    assert [each for each in told if each not in lines[-1]] == [], lines[-1]
    assert not (tmp_path / "out").exists()


def test_what_may_be_missing_keeps_the_networks_start(tool, tmp_path, theirs):
    state = theirs.state_dict()
    missing = [name for name in state if name.startswith("layer4.1.")]
    held = {name: tensor for name, tensor in state.items() if name not in missing}
    code, lines = tool(held, "--timm", "--allow-missing", "layer4.1.*")
    assert code == 0 and any("as allowed; the backbone's start is kept: " in each for each in lines), lines
    assert (tmp_path / "out" / "card.json").is_file()


def test_a_checkpoint_of_timms_comes_back_to_timm(tool, tmp_path, theirs):
    code, lines = tool(theirs.state_dict(), "--timm", "--to", "timm")
    assert code == 0, lines
    again = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True).state_dict()
    assert again.keys() == theirs.state_dict().keys()
    assert all(torch.equal(tensor, again[name]) for name, tensor in theirs.state_dict().items())
    assert "--checkpoint" in (tmp_path / "out" / "README.md").read_text()


def test_a_format_that_cannot_hold_the_network_is_refused_with_others(tool, tmp_path, theirs):
    code, lines = tool(theirs.state_dict(), "--timm", "--to", "torchvision")
    assert code == 2 and lines[-1].startswith("error: torchvision has no resnet18d; use --to timm")
    assert not (tmp_path / "out").exists()


def test_which_mean_and_std_a_card_of_others_weights_states_is_said_and_can_be_set(tool, tmp_path, theirs):
    code, lines = tool(theirs.state_dict(), "--timm", "--no-head")
    (said,) = (line for line in lines if line.startswith("the card states mean "))
    card = read_card(tmp_path / "out" / "card.json")
    assert code == 0 and f"mean {card.mean} and std {card.std}" in said and "--mean --std" in said
    fed = ["--mean", "127.5", "127.5", "127.5", "--std", "128", "128", "128", "--channel-order", "bgr"]
    code, lines = tool(theirs.state_dict(), "--timm", "--no-head", *fed, "--interpolation", "bicubic")
    assert code == 0 and not [line for line in lines if line.startswith("the card states")]
    card = read_card(tmp_path / "out" / "card.json")
    assert (card.mean, card.std) == ([127.5] * 3, [128] * 3)
    assert (card.channel_order, card.interpolation) == ("bgr", "bicubic")
    code, lines = tool(theirs.state_dict(), "--timm", "--mean", "0.5", "0.5", "0.5", "--std", "0.2", "0.2", "0.2")
    assert code == 2 and "in 0..255 they are --mean 127.5 127.5 127.5" in lines[-1]


def test_what_is_said_of_others_weights_goes_with_a_checkpoint(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tools/export.py", *RECIPE, "--to", "timm", "--part", "teacher"])
    assert command_line.tool(export.main) == 2
    assert capsys.readouterr().err == "error: --part goes with --checkpoint FILE\n"


def test_an_unknown_format_is_refused_with_the_nearest_in_one_line(tool, theirs):
    code, lines = tool(theirs.state_dict(), "--timm", "--to", "torchvison")
    assert (code, lines) == (2, ["error: --to 'torchvison' does not exist; did you mean 'torchvision'?"])


def test_a_card_in_a_folder_of_its_own_has_a_model_card(tool, tmp_path, theirs):
    assert tool(theirs.state_dict(), "--timm")[0] == 0
    data = ModelCard.load(tmp_path / "out" / "README.md").data
    assert (data.library_name, data.license) == ("trick-transfer", "unknown")


def test_the_model_card_of_others_weights_says_whose_they_are_and_not_that_the_recipe_trained_them(
    tool, tmp_path, theirs
):
    assert tool(theirs.state_dict(), "--timm", "--licence", "MIT")[0] == 0
    written = ModelCard.load(tmp_path / "out" / "README.md")
    assert (written.data.license, written.data.datasets, written.data.model_name) == ("mit", None, "a")
    assert "with the weights of a.pth, not trained further; exported with" in " ".join(written.text.split())
    card = read_card(tmp_path / "out" / "card.json")
    assert card.origin["sha256"] == file_sha256(tmp_path / "a.pth") and "(100.0%)" in card.origin["loaded"]
    assert card.licences == {"code": "Apache-2.0", "weights": "MIT"}


def test_a_backbone_alone_takes_no_earlier_head_with_it(tool, tmp_path, theirs):
    assert tool(theirs.state_dict(), "--timm")[0] == 0
    read_classifier(tmp_path / "out" / "card.json")
    assert tool(theirs.state_dict(), "--timm", "--no-head")[0] == 0
    with pytest.raises(FileNotFoundError, match=r"head\.safetensors"):
        read_classifier(tmp_path / "out" / "card.json")


def test_weights_that_fit_two_variants_alike_are_exported_once_it_is_said_which_they_are(tool, tmp_path):
    recipe = ["resnet50_efficient", "--set", "model.backbone.depth=26"]
    state = ImageClassifier(dict(type="backbones.ResNet", depth=26, tweak="b"), 10).state_dict()
    code, lines = tool(state, recipe=recipe)
    assert code == 2 and "with and without tweak B" in lines[-1] and "--set model.backbone.tweak=b" in lines[-1]
    for tweak in ("b", ""):
        assert tool(state, recipe=[*recipe, f"model.backbone.tweak={tweak}"])[0] == 0
        assert read_card(tmp_path / "out" / "card.json").backbone["tweak"] == tweak


def test_a_head_is_scored_where_the_images_are_there(tool, tmp_path, photos, theirs):
    """It says the first class, that of 2 of the 11 images, whatever it sees."""
    state = theirs.state_dict() | {"fc.weight": torch.zeros(10, 512), "fc.bias": -torch.arange(10.0)}
    data = ["data.num_train=20", "data.num_val=11"]
    code, lines = tool(state, "--timm", "--data-root", str(photos), recipe=[*RECIPE, *data])
    assert code == 0 and "top-1 18.18 % of 11 images" in lines[-2]
    assert lines[-1].startswith("warning: guessing gives 10.00 %")
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card["metrics"] == {"top1": pytest.approx(100 * 2 / 11)}
