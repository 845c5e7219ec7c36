"""Weights from elsewhere: carried to the later stages, scored with their own head, and trained on."""

import json
import shutil
import tarfile
from argparse import Namespace
from hashlib import sha256
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from backbones.card import read_card
from backbones.given.source import Given
from classification import given
from classification.augment import PixelScaler, center_crop
from classification.classifier import ImageClassifier
from classification.config import load
from trick_transfer.commands.export import make_card
from trick_transfer.runs.command import of_row
from trick_transfer.runs.identity import plain
from trick_transfer.runs.plan import check_given
from trick_transfer.runs.result import read
from trick_transfer.runs.run import Run
from trick_transfer.runs.training import train

NAME = "mobilenetv2_035"


@pytest.fixture
def weights(tmp_path):
    """A whole classifier of timm's with ten classes, and its file."""
    torch.manual_seed(0)
    net = timm.create_model(NAME, num_classes=10).eval()
    torch.save({"state_dict": {f"module.{name}": each for name, each in net.state_dict().items()}}, tmp_path / "w.pth")
    return net, {
        "source": str(tmp_path / "w.pth"),
        "arch": f"timm/{NAME}",
        "mean": [1.0, 2.0, 3.0],
        "std": [4.0, 5.0, 6.0],
    }


def a_run(recipe, sets, root=None, tier="smoke"):
    return Run("classification", recipe, tier, sets=sets, data_root=root)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ("timm/resnet50d.ra2_in1k", "timm_resnet50d.ra2_in1k"),
        ("torchvision/resnet50:IMAGENET1K_V2", "torchvision_resnet50_IMAGENET1K_V2"),
        (dict(source="/data/runs/epoch 90.pth"), "epoch_90"),
        (dict(source="../runs/w/hf/"), "hf"),
        (dict(source="local-dir:w/hf"), "hf"),
        (dict(source="my_module:MyBackbone", name="mine"), "mine"),
    ],
)
def test_a_row_is_called_as_its_weights(options, name):
    assert a_run("given", {"given": options}).name == name
    assert a_run("resnet50d_best", {"given": options}).name == f"resnet50d_best+given-{name}"


def test_a_row_is_called_alike_in_whatever_order_its_settings_come():
    sets = {"max_epochs": 2, "lr": 0.1, "model.backbone": "resnet50d"}
    names = {a_run("resnet50_baseline", dict(each)).name for each in permutations(sets.items())}
    assert names == {"resnet50_baseline+lr-0.1+max_epochs-2+model.backbone-resnet50d"}


@pytest.mark.parametrize(
    ("options", "named"),
    [(7, "got 7"), ({"arch": "timm/x"}, "source"), ({"source": "x.pth", "pats": 1}, "'pats'.*'part'")],
)
def test_a_setting_that_names_no_weights_is_refused(options, named):
    with pytest.raises(ValueError, match=named):
        a_run("resnet50d_best", {"given": options}).layers  # noqa: B018


def test_the_recipe_of_given_weights_asks_for_them():
    with pytest.raises(ValueError, match="--backbone SOURCE"):
        a_run("given", {})


def test_a_classifier_with_given_weights_computes_what_they_do(weights):
    net, options = weights
    cfg = load("given")
    given.start(cfg, options)
    images = torch.randn(2, 3, 64, 64)
    model = ImageClassifier(cfg.model.backbone, 10, given=cfg.model.given).eval()
    with torch.no_grad():
        maps = net.blocks(F.relu6(net.bn1(net.conv_stem(images))))
        assert torch.allclose(model.backbone(images)[-1], maps, atol=1e-5)
    cfg.model.given.outputs = [7, 0]
    model = ImageClassifier(cfg.model.backbone, 2, given=cfg.model.given).eval()
    assert torch.allclose(model(images), net(images)[:, [7, 0]], atol=1e-5)
    assert not any(name.startswith("given") for name in model.state_dict())


def test_of_a_file_with_a_tensor_missing_the_head_is_told_apart_from_the_backbone(weights):
    net, options = weights
    torch.save({name: each for name, each in net.state_dict().items() if name != "bn1.bias"}, options["source"])
    cfg = load("given")
    given.start(cfg, options)
    with pytest.raises(ValueError, match="^the given head cannot be read whole$"):
        given.outputs_for([], cfg.model.given, 64)


def test_images_in_bgr_are_normalised_in_rgb_and_turned_round():
    image = np.random.default_rng(0).integers(0, 256, (1, 4, 5, 3), np.uint8)
    fed = PixelScaler((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), pca_std=0.0, bgr=True).normalise(torch.from_numpy(image), False)
    assert np.allclose(fed, ((image - [1, 2, 3]) / [4, 5, 6]).transpose(0, 3, 1, 2)[:, ::-1], atol=1e-5)


def test_a_class_without_a_slot_for_zero_gamma_gets_none(monkeypatch):
    found = Given("m:C", "C", dict(type="backbones.C"), None, "", [1.0] * 3, [2.0] * 3, "rgb", "bilinear", "", (), None)
    monkeypatch.setattr(given, "find_once", lambda *_: found)
    monkeypatch.setattr(given, "registered", lambda _: lambda frozen_stages=-1: None)
    given.start(cfg := load("given"), {"source": "m:C", "channel_order": "bgr", "interpolation": "bicubic"})
    assert cfg.model.backbone == dict(type="backbones.C")
    assert cfg.model.data_preprocessor.bgr and cfg.model.given.interpolation == "bicubic"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (dict(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]), "--mean 123.675 116.28 103.53 --std 58.395"),
        (dict(std=[0.0, 1.0, 1.0]), "std above 0"),
        (dict(mean=[float("nan"), 1.0, 1.0]), "mean must lie in 0..255"),
        (dict(std=None), "--mean R G B --std R G B"),
        (dict(name="Meine Zeile"), "'Meine Zeile' must consist of"),
        (dict(channel_order="brg"), "'brg'.*'rgb'"),
    ],
)
def test_what_cannot_be_meant_is_told_with_what_may_be(weights, change, told):
    with pytest.raises(ValueError, match=told):
        given.start(load("given"), weights[1] | change)


def test_given_weights_and_another_network_exclude_each_other():
    with pytest.raises(ValueError, match="leave out model.backbone='timm/resnet34'"):
        a_run("resnet50_random", {"given": "timm/resnet18", "model.backbone": "timm/resnet34"})


def test_a_plan_refuses_other_weights_under_a_rows_name(weights, photos):
    sets = {"model.num_classes": 10, "data.num_train": 20, "data.num_val": 11, "given": weights[1]}
    run = a_run("given", sets, photos)
    check_given(run)
    run.folder.mkdir(parents=True)
    begun = plain(run.config()) | {"model": plain(run.config())["model"] | {"given": {"sha256": "f" * 64}}}
    (run.folder / "config.json").write_text(json.dumps(begun))
    with pytest.raises(ValueError, match="is of other weights.*--row"):
        check_given(run)


def test_a_row_is_found_by_its_name_with_all_that_made_it(weights, tmp_path):
    run = a_run("resnet50d_best", {"given": weights[1], "max_epochs": 3})
    settings = run.home(run.name) / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps(run.own))
    assert of_row(a_run(run.name, {})) == run
    assert of_row(a_run("resnet50d_best", {})).sets == {}


def test_the_datas_classes_are_found_in_an_archive_too(weights, photos, tmp_path):
    with tarfile.open(tmp_path / "val.tar", "w") as packed:
        packed.add(photos / "val", "val")
    cfg = load("given")
    given.start(cfg, weights[1])
    cfg.val_dataloader.dataset.update(root=str(tmp_path), split="val")
    given.match(cfg)
    assert cfg.model.given.outputs == list(range(10))


def test_a_crop_resizes_as_the_weights_ask():
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    expected = cv2.resize(image, (60, 60), interpolation=cv2.INTER_CUBIC)[5:55, 5:55]
    assert (center_crop(image, 50, 60, "bicubic") == expected).all()


@pytest.mark.slow
@pytest.mark.parametrize("fits", [True, False])
def test_given_weights_are_scored_where_their_classes_are_the_datas_and_carried_on_where_not(weights, photos, fits):
    net, options = weights
    sets = {"model.num_classes": 10, "data.num_train": 20, "data.num_val": 11, "given": options | {"licence": "mit"}}
    if not fits:
        net.reset_classifier(7)
        torch.save(net.state_dict(), options["source"])
    result = train(run := a_run("given", sets, photos))
    assert read(run.folder / "metrics.json") == result
    assert ("top1" in result.metrics, result.samples_scored) == ((True, 8) if fits else (False, 0))
    card = read_card(run.card)
    assert (card.mean, card.std) == ([1, 2, 3], [4, 5, 6])
    assert card.licences == {"code": "Apache-2.0", "weights": "mit"}, "the data that it is scored on did not make it"
    assert result.licences == card.licences | {"classification data": "unknown"}
    assert card.origin["source"] == options["source"] and "(100.0%)" in card.origin["loaded"]


def test_weights_that_were_moved_are_the_same_experiment(weights, photos, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.copy(weights[1]["source"], tmp_path / "elsewhere")
    here, there = (plain(a_run("given", {"given": weights[1] | {"source": each}}, photos).config())
                   for each in (weights[1]["source"], str(moved)))  # fmt: skip
    assert here == there and here["model"]["given"]["sha256"] == sha256(Path(moved).read_bytes()).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("head", [True, False])
def test_training_starts_from_given_weights_with_or_without_a_head_and_has_a_new_one(weights, photos, head):
    """At rate 0 the convolutions stay as they came."""
    net = weights[0].state_dict()
    if not head:
        torch.save({key: each for key, each in net.items() if "classifier" not in key}, weights[1]["source"])
    sets = {"model.num_classes": 10, "data.num_train": 20, "data.num_val": 11, "given": weights[1] | {"licence": "mit"}}
    sets |= {"tricks.zero_gamma": None, "tricks.distillation": None, "max_epochs": 1, "optim_wrapper.optimizer.lr": 0.0}
    result = train(run := a_run("resnet50d_best", sets, photos))
    assert result.steps > 0 and run.card.with_name("head.safetensors").is_file()
    kept = {
        key.removeprefix("net.").replace("blocks_", "blocks."): each
        for key, each in load_file(read_card(run.card).weights).items()
    }
    convolutions = [key for key in kept if kept[key].ndim == 4]
    assert len(convolutions) > 40 and all(torch.equal(kept[key], net[key]) for key in convolutions)
    before = read_card(run.card)
    assert before.licences == {"code": "Apache-2.0", "weights": "mit and unknown", "data": "unknown"}
    again = Namespace(checkpoint=None, no_head=False, timm=False, part=None, allow_missing=None)
    make_card(run, again, run.card.parent)
    assert read_card(run.card) == before, "tools/export.py writes the run's own card again as it was"
