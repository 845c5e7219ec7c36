"""Exports to other libraries: each loads its own by its own means, and computes what our network does."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mmdet
import mmseg
import numpy as np
import onnxruntime
import pytest
import timm
import torch
import torchvision
from huggingface_hub import ModelCard
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from PIL import Image
from test_backbones import randomise
from toy_ade20k import write_pair
from toy_voc import CLASSES, MEAN, STD, write_voc

from backbones.card import write_card
from backbones.openmmlab import resnet
from backbones.registry import MODELS as BACKBONES
from classification.classifier import HEAD, ImageClassifier
from trick_transfer.engine.files import write_tensors
from trick_transfer.engine.receipt import ROOT
from trick_transfer.exports.formats import FORMATS, convert
from trick_transfer.exports.readme import model_card
from trick_transfer.exports.scores import scores_of
from trick_transfer.exports.trained import trained
from trick_transfer.runs.run import Run

K = 10  # classes
LICENCES = {"code": "Apache-2.0", "weights": "CC-BY-4.0", "data": "Flickr's terms"}


def ours(depth, tweak, **more):
    return dict(type="backbones.ResNet", depth=depth, tweak=tweak, **more)


def adapted(name, **options):
    return dict(type="backbones.Timm", model=name, options=options)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A card's network with a head, its batch norms as after training; made once each."""
    made = {}

    def make(config, head=True, **about):
        key = json.dumps([config, head, about])
        if key not in made:
            folder = tmp_path_factory.mktemp("card")
            model = randomise(ImageClassifier(config, K))
            for name, bias in model.backbone.named_parameters():
                if name.endswith("conv.bias"):
                    torch.nn.init.normal_(bias, 0, 0.1)
            facts = dict(name="toy", tier="mini", seed=0, mean=MEAN, std=STD, licences=LICENCES) | about
            px = 112 if "inception" in key else 64  # it takes no fewer
            write_card(folder, model.backbone, config, {"top1": 12.5}, px, **facts)
            if head:
                write_tensors(folder / HEAD, model.head.state_dict())
            made[key] = trained(Run("classification", "resnet50d_best", "mini"), folder / "card.json")
        return made[key]

    return make


@pytest.fixture
def folder(network, tmp_path):
    """A network in a format: what is exported, and the folder."""

    def fill(to, config, **more):
        one = network(config, **more)
        convert(one, to, tmp_path / "out", f"tools/export.py toy --to {to}")
        return one, tmp_path / "out"

    return fill


def assert_same(found, expected, tolerance=1e-4):
    torch.testing.assert_close(found.detach(), expected.detach(), rtol=tolerance, atol=tolerance)


OF_TIMM = [
    ours(18, "bcd"),
    ours(26, "b"),
    ours(18, ""),
    adapted("mobilenetv1_100", act_layer="relu"),
    adapted("resnet18", act_layer="gelu"),
]


@pytest.mark.parametrize("config", OF_TIMM, ids=lambda config: "-".join(map(str, list(config.values())[1:])))
def test_timm_loads_a_folder_with_the_head_and_the_way_to_feed_images(folder, config):
    one, out = folder("timm", config)
    theirs = timm.create_model(f"local-dir:{out}", pretrained=True).eval()
    assert_same(theirs(one.images()), one.model.logits(one.images()))
    feeding = timm.data.resolve_model_data_config(theirs)
    assert (theirs.num_classes, feeding["input_size"], feeding["interpolation"]) == (K, (3, 64, 64), "bilinear")
    assert np.multiply(feeding["mean"], 255) == pytest.approx(MEAN)
    assert np.multiply(feeding["std"], 255) == pytest.approx(STD)


@pytest.mark.parametrize(("size_px", "shorter_px"), [(64, 72), (224, 256), (299, 342), (16, 93), (64, 64)])
def test_timms_transform_cuts_the_same_square(network, tmp_path, size_px, shorter_px):
    one = replace(network(ours(18, "bcd")), size_px=size_px, shorter_px=shorter_px)
    FORMATS["timm"](one, tmp_path)
    feeding = timm.data.resolve_model_data_config(timm.create_model(f"local-dir:{tmp_path}"))
    resize, crop = timm.data.create_transform(**feeding).transforms[:2]
    image = Image.new("RGB", (2 * shorter_px, shorter_px + 50))
    assert min(resize(image).size) == shorter_px and crop(resize(image)).size == (size_px, size_px)


def test_a_backbone_alone_is_a_network_of_no_classes(folder):
    one, out = folder("timm", ours(18, "bcd"), head=False)
    theirs = timm.create_model(f"local-dir:{out}", pretrained=True).eval()
    assert_same(theirs(one.images()), one.model.backbone(one.images())[-1].mean((2, 3)))


@pytest.mark.parametrize(("depth", "tweak", "head"), [(18, "", True), (18, "b", False), (50, "b", True)])
def test_torchvision_loads_every_tensor(folder, depth, tweak, head):
    one, out = folder("torchvision", ours(depth, tweak), head=head)
    theirs = torchvision.models.get_model(f"resnet{depth}", num_classes=K).eval()
    if not head:
        theirs.fc = torch.nn.Identity()
    theirs.load_state_dict(torch.load(out / f"resnet{depth}.pth", weights_only=True))  # strict
    assert_same(theirs(one.images()), one.model.logits(one.images()))


LIBRARIES = {"mmdet": "mmdet_faster_rcnn_fpn_voc.py", "mmseg": "mmseg_fcn_ade20k.py"}


OF_MM = [ours(18, "bcd"), ours(18, "bc"), ours(50, "bcd"), ours(50, "b"), ours(50, "", biases=True)]


@pytest.mark.parametrize("config", OF_MM, ids=lambda config: f"{config['depth']}{config['tweak']}")
def test_their_own_resnets_compute_our_maps(folder, config):
    """Also dilated, as segmentation has bottlenecks; and in training, where batch norms take a bias out again."""
    one, out = folder("mm", config)
    images, weights = one.images(count=4), torch.load(out / "backbone.pth", weights_only=True)
    for library, stride in (("mmdet", 32), ("mmseg", 8 if config["depth"] == 50 else 32)):
        slot = Config.fromfile(out / LIBRARIES[library]).model.backbone
        with DefaultScope.overwrite_default_scope(library):
            theirs = MODELS.build(slot | dict(frozen_stages=-1, norm_eval=False))
        theirs.load_state_dict(weights)  # strict
        own = BACKBONES.build(one.card.slot(output_stride=stride))
        for training in (False, True):
            theirs.train(training), own.train(training)
            for found, expected in zip(theirs(images), own(images), strict=True):
                assert_same(found, expected, 1e-3 if training else 1e-4)  # 50 batch norms over few values round


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_config_is_whole_and_names_nothing_of_ours(folder, library):
    _, out = folder("mm", ours(18, "bcd"))
    text = (out / LIBRARIES[library]).read_text()
    cfg = Config.fromfile(out / LIBRARIES[library])
    assert cfg.model.backbone.init_cfg.checkpoint == str(out / "backbone.pth")
    assert not [
        word for word in ("backbones.", "detection.", "segmentation.", "_base_", "custom_imports") if word in text
    ]
    assert "type='trick_transfer" not in text and ".part" not in text


def test_a_network_that_takes_bgr_is_fed_bgr(folder):
    _, out = folder("mm", ours(18, "bcd"), channel_order="bgr")
    fed = Config.fromfile(out / LIBRARIES["mmdet"]).model.data_preprocessor
    assert not fed.bgr_to_rgb and fed.mean == pytest.approx(MEAN[::-1]) and fed.std == pytest.approx(STD[::-1])


def data_sets(cfg):
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        yield from loader.dataset.get("datasets", [loader.dataset])


def scores(cfg, root, work):
    """What one epoch on a few images scores, in the library's own words."""
    from mmengine.runner import Runner

    for part in data_sets(cfg):
        part.data_root = str(root)
    cfg.train_dataloader.batch_size = 2
    cfg.train_cfg.update(max_epochs=1, val_begin=1)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        runner = Runner.from_cfg(Config(cfg.to_dict() | dict(work_dir=str(work), experiment_name=cfg.default_scope)))
        runner.train()
    return {name: runner.message_hub.get_scalar(name).current() for name in runner.message_hub.log_scalars}


@pytest.mark.slow
def test_plain_mmdet_trains_and_scores_by_its_config(folder, tmp_path):
    _, out = folder("mm", ours(18, "bcd"))
    cfg = Config.fromfile(out / LIBRARIES["mmdet"])
    for part in data_sets(cfg):
        part.metainfo = dict(classes=CLASSES)
    cfg.model.roi_head.bbox_head.num_classes = len(CLASSES)
    found = scores(cfg, write_voc(tmp_path / "voc"), tmp_path / "work")
    assert found["train/loss"] > 0 and 0 <= found["val/pascal_voc/mAP"] <= 1


@pytest.mark.slow
def test_plain_mmseg_trains_and_scores_by_its_config(folder, tmp_path):
    _, out = folder("mm", ours(18, "bcd"))
    for split in ("training", "validation"):
        for number in range(4):
            write_pair(tmp_path / "ade", split, f"{number}", np.full((64, 96), number))
    found = scores(Config.fromfile(out / LIBRARIES["mmseg"]), tmp_path / "ade", tmp_path / "work")
    assert found["train/loss"] > 0 and 0 <= found["val/mIoU"] <= 100


@pytest.mark.parametrize(("config", "head"), [(ours(18, "bcd"), True), (adapted("mobilenetv1_100"), False)])
def test_onnxruntime_computes_the_same_for_any_batch_and_size(folder, config, head):
    one, out = folder("onnx", config, head=head)
    session = onnxruntime.InferenceSession(out / "model.onnx")
    assert session.get_inputs()[0].shape == ["batch", 3, "height", "width"]
    for count, height, width in [(1, 64, 64), (3, 97, 128), (2, 75, 110)]:
        images = one.images(height, width, count)
        expected = [one.model.logits(images)] if head else one.model.backbone(images)
        for found, own in zip(session.run(None, {"images": images.numpy()}), expected, strict=True):
            assert_same(torch.from_numpy(found), own.detach())


REFUSED = {  # what is told: (format, network)
    ("ResNet-26 without tweak B", "first 1x1"): ("timm", ours(26, "")),
    ("ResNet-50 without tweak B", "tweak=b"): ("torchvision", ours(50, "")),
    ("timm has no resnet18c",): ("timm", ours(18, "bc")),
    ("torchvision has no resnet18d",): ("torchvision", ours(18, "bcd")),
    ("torchvision's resnet18", "something else"): ("torchvision", adapted("resnet18", act_layer="gelu")),
    ("torchvision has no mobilenetv1_100",): ("torchvision", adapted("mobilenetv1_100")),
    ("torchvision's inception_v3", "AuxLogits"): ("torchvision", adapted("inception_v3")),
    ("timm's mobilenetv2_035", "lacks bn2."): ("timm", adapted("mobilenetv2_035")),
    ("no mobilenetv1_100",): ("mm", adapted("mobilenetv1_100")),
    ("depth 18, 34, 50", "no backbones.ResNet of depth 26"): ("mm", ours(26, "bcd")),
}


@pytest.mark.parametrize("told", REFUSED, ids=lambda told: told[0])
def test_what_a_library_does_not_have_is_refused_in_one_line_and_leaves_no_folder(network, tmp_path, told):
    to, config = REFUSED[told]
    with pytest.raises(ValueError) as error:
        convert(network(config), to, tmp_path / "out", "")
    assert [each for each in told if each not in str(error.value)] == [] and "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", ["timm", "torchvision"])
def test_libraries_that_feed_rgb_do_not_get_a_network_that_takes_bgr(network, tmp_path, to):
    with pytest.raises(ValueError, match=f"takes BGR, {to} feeds RGB"):
        convert(network(ours(18, ""), channel_order="bgr"), to, tmp_path / "out", "")


def test_a_dilated_basic_block_is_not_mmsegs():
    with pytest.raises(ValueError, match="ResNet-18 in another way"):
        resnet(ours(18, "bcd", output_stride=8), "backbone.pth")


def test_a_missing_package_is_named_with_the_command_that_gets_it(network, tmp_path, monkeypatch):
    monkeypatch.setattr("trick_transfer.exports.onnx_file.find_spec", lambda name: name != "onnxscript")
    with pytest.raises(ValueError, match=r"needs onnxscript: pip install 'trick-transfer\[onnx\]'"):
        convert(network(ours(18, "bcd")), "onnx", tmp_path / "out", "")


@pytest.mark.parametrize(("to", "library"), [("timm", "timm"), ("torchvision", "torchvision"), ("mm", "mmdet")])
def test_the_model_card_has_the_hubs_metadata(folder, to, library):
    _, out = folder(to, ours(18, ""))
    card = ModelCard.load(out / "README.md")
    assert (card.data.license, card.data.library_name) == ("cc-by-4.0", library)
    assert card.data.pipeline_tag == "image-classification" and card.data.datasets == ["mini-imagenet1k"]
    [scored] = card.data.eval_results
    assert (scored.metric_type, scored.metric_value, scored.dataset_name) == ("accuracy", 12.5, "mini/imagenet1k")
    assert f"tools/export.py toy --to {to}" in card.text and "- data: Flickr's terms" in card.text


def test_a_licence_that_the_hub_does_not_know_is_another_with_its_name(folder):
    _, out = folder("torchvision", ours(18, ""), licences={"weights": "Research only (ImageNet)"})
    card = ModelCard.load(out / "README.md")
    assert (card.data.license, card.data.license_name) == ("other", "research-only-imagenet")
    assert "- weights: Research only (ImageNet)" in card.text


@pytest.fixture
def rows(tmp_path):
    """Two rows of the reference in an empty folder, and the run that made one of their results."""
    for recipe in ("resnet50d_best", "resnet50d_cosine"):
        for seed in range(3):
            place = f"mini/{recipe}/seed{seed}/classification"
            shutil.copytree(ROOT / "results" / place, tmp_path / "results" / place)
    shutil.copytree(tmp_path / "results" / "mini", tmp_path / "work" / "mini")
    return Run("classification", "resnet50d_best", "mini", 1)


def test_the_model_card_has_the_leaderboards_row_of_these_weights(network, rows):
    one = replace(network(ours(18, "bcd")), run=rows)
    found = scores_of(rows)
    results = [
        json.loads((rows.home(rows.name).parent / f"seed{s}/classification/metrics.json").read_text()) for s in range(3)
    ]
    own, mean = results[1]["metrics"]["top1"], np.mean([each["metrics"]["top1"] for each in results])
    [line] = [
        line for line in model_card(one, "timm", "", "tools/export.py", found).splitlines() if "| top-1 |" in line
    ]
    *_, shown, shown_mean, interval, seeds, _ = (each.strip() for each in line.split("|"))
    assert (shown, shown_mean, seeds) == (f"{own:.2f}", f"{mean:.2f}", "3")
    low, high = json.loads(interval)
    assert low < mean < high
    assert results[1]["command"] in model_card(one, "timm", "", "tools/export.py", found)


def test_a_run_whose_result_is_not_on_the_leaderboard_has_no_row(rows):
    assert scores_of(replace(rows, seed=7)) is None  # which was not trained
    shutil.rmtree("results/mini/resnet50d_best/seed1")
    assert scores_of(rows) is None


def test_of_unscored_results_each_has_its_own_row(tmp_path):
    for recipe in ("resnet50d_best", "resnet50d_cosine"):
        kept = tmp_path / f"results/mini/{recipe}/seed0"
        shutil.copytree(ROOT / f"results/mini/{recipe}/seed0", kept)
        path = kept / "classification/metrics.json"
        unscored = dict(samples_scored=0, outputs_sha256="none", metrics={}, branches=None)
        path.write_text(json.dumps(json.loads(path.read_text()) | unscored))
    shutil.copytree(tmp_path / "results/mini", tmp_path / "work/mini")
    for recipe in ("resnet50d_best", "resnet50d_cosine"):
        assert scores_of(Run("classification", recipe, "mini")).row.recipe == recipe


def test_a_second_export_replaces_the_first(folder):
    _, out = folder("torchvision", ours(18, ""))
    before = (out / "resnet18.pth").stat().st_ino
    folder("torchvision", ours(18, ""))
    assert (out / "resnet18.pth").stat().st_ino != before
    assert sorted(each.name for each in out.iterdir()) == ["README.md", "resnet18.pth"]


BUILD = """
import sys
import torch
import backbones
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

library, site = sys.argv[1:]
assert backbones.__file__.startswith(site), backbones.__file__
cfg = Config.fromfile(f"{library}_model.py")  # its custom_imports come first, as in the libraries' own tools
init_default_scope(library)
model = MODELS.build(cfg.model).eval()
print([tuple(each.shape) for each in model.backbone(torch.zeros(1, 3, 64, 64))])
"""
CONFIGS = {each.__name__: Path(each.__file__).parent / ".mim/configs" for each in (mmdet, mmseg)}
OF_MMSEG = (
    f"_base_ = '{CONFIGS['mmseg']}/_base_/models/fcn_r50-d8.py'"
    """
model = dict(
    pretrained=None,
    backbone=dict(
        _delete_=True, type="backbones.ResNet", depth=18, tweak="bcd", output_stride=8,
        weights="work/paper/resnet50d_best/seed0/backbone.safetensors",
    ),
    decode_head=dict(in_channels=512), auxiliary_head=dict(in_channels=256),
)
"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The package as pip installs it from a checkout, without what it needs."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    for name in ("backbones", "classification", "detection", "probing", "segmentation", "trick_transfer"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([*pip, site, source], check=True)
    return site


@pytest.mark.slow
@pytest.mark.parametrize("library", ["mmdet", "mmseg"])
def test_readmes_config_works_from_any_folder_once_the_package_is_installed(network, tmp_path, site, library):
    """README's own, with a ResNet-18 in place of the 50, and the paths that it says."""
    weights = network(ours(18, "bcd")).card.weights
    text = OF_MMSEG
    if library == "mmdet":
        (text,) = re.findall(
            r'^```python\n(_base_ = "mmdetection/.*?)^```$', (ROOT / "README.md").read_text(), re.M | re.S
        )
        text = text.replace("mmdetection/configs/", f"{CONFIGS['mmdet']}/").replace("depth=50", "depth=18")
        text += "model['neck'] = dict(in_channels=[64, 128, 256, 512])\n"
    (tmp_path / f"{library}_model.py").write_text(
        text.replace("work/paper/resnet50d_best/seed0/backbone.safetensors", str(weights))
    )
    words = [sys.executable, "-c", BUILD, library, str(site)]
    done = subprocess.run(
        words, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(site)}, capture_output=True, text=True
    )
    sides = [16, 8, 4, 2] if library == "mmdet" else [16, 8, 8, 8]
    expected = [(1, channels, side, side) for channels, side in zip((64, 128, 256, 512), sides, strict=True)]
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == str(expected), done.stderr
