"""Where a given network comes from: a library's name, a file, a folder or a class, or one line says what is wrong."""

import json
import os
import re
import sys
from contextlib import nullcontext
from importlib import reload

import huggingface_hub.constants
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from timm.data import ImageNetInfo
from timm.models import save_for_hf

from backbones.base import Backbone
from backbones.given import imports, of_torchvision
from backbones.given.fit import fit
from backbones.given.imports import NAMED
from backbones.given.source import find
from backbones.registry import MODELS, sketch
from classification.config import load
from classification.given import start
from trick_transfer.engine.files import file_sha256

QUICK = ("resnet18", "mobilenet_v3_small", "regnet_x_400mf", "densenet121")
IMAGENET = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch):
    """Empty caches, and no network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))
    monkeypatch.delenv(NAMED, raising=False)


def trained(net):
    """A network that is not as it starts, to see whether its weights arrive."""
    torch.manual_seed(0)
    with torch.no_grad():
        net.train()(torch.randn(2, 3, 64, 64))
    return net.eval()


def image():
    return torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def same_logits(given, net):
    return torch.equal(given.whole()(image()), net.eval()(image()))


def put(path, state):
    path.parent.mkdir(parents=True, exist_ok=True)
    (save_file if path.suffix == ".safetensors" else torch.save)(state, path)
    return path


def in_hub(tmp_path, repository, state):
    """As the hub's client keeps a file: by its revision."""
    folder = tmp_path / "hub" / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    return put(folder / "snapshots" / "abc" / "model.safetensors", state)


def test_timms_weights_of_the_hubs_cache_come_with_all_that_timm_knows_of_them(tmp_path):
    net = trained(timm.create_model("resnet18"))
    path = in_hub(tmp_path, "timm/resnet18.tv_in1k", net.state_dict())
    given = find("timm/resnet18.tv_in1k")
    assert (given.name, given.sha256) == ("timm_resnet18.tv_in1k", file_sha256(path))
    assert sketch(given.backbone).channels == (64, 128, 256, 512)
    assert (given.mean, given.std) == (pytest.approx(IMAGENET[0]), pytest.approx(IMAGENET[1]))
    assert (given.channel_order, given.interpolation, given.licence) == ("rgb", "bilinear", "bsd-3-clause")
    assert list(given.classes) == ImageNetInfo("imagenet-1k").label_names()
    assert same_logits(given, net)


def test_timms_weights_of_torchs_cache_are_taken_where_its_hub_has_none(tmp_path):
    url = timm.get_pretrained_cfg("resnet18.tv_in1k").url
    net = trained(timm.create_model("resnet18"))
    put(tmp_path / "torch" / "checkpoints" / os.path.basename(url), {"state_dict": net.state_dict()})
    assert same_logits(find("timm/resnet18.tv_in1k"), net)


def test_weights_without_a_tag_are_timms_default(tmp_path):
    tag = timm.get_pretrained_cfg("mobilenetv2_100").tag
    in_hub(tmp_path, f"timm/mobilenetv2_100.{tag}", timm.create_model("mobilenetv2_100").state_dict())
    assert find("timm/mobilenetv2_100").name == f"timm_mobilenetv2_100.{tag}"


def test_weights_that_no_cache_has_are_one_line_that_says_how_to_get_them():
    with pytest.raises(
        ValueError, match=r"timm/resnet18\.a1_in1k .*safetensors.*--arch timm/resnet18\.a1_in1k$"
    ) as told:
        find("timm/resnet18.a1_in1k")
    assert "\n" not in str(told.value)


def test_weights_that_a_cache_holds_of_another_network_are_one_line(tmp_path):
    in_hub(tmp_path, "timm/resnet18.tv_in1k", timm.create_model("resnet34").state_dict())
    with pytest.raises(ValueError, match=r"model\.safetensors does not fit resnet18: .*layer") as told:
        find("timm/resnet18.tv_in1k")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("held", [[1, 2], torch.zeros(3)], ids=["list", "tensor"])
def test_a_cached_file_that_holds_no_weights_is_one_line(tmp_path, held):
    url = timm.get_pretrained_cfg("resnet18.tv_in1k").url
    put(tmp_path / "torch" / "checkpoints" / os.path.basename(url), held)
    with pytest.raises(ValueError, match=os.path.basename(url)) as told:
        find("timm/resnet18.tv_in1k")
    assert "\n" not in str(told.value)


def test_a_download_of_another_hash_is_one_line(tmp_path, monkeypatch):
    def damaged(url):
        raise RuntimeError('invalid hash value (expected "b0353104", got "00")')

    monkeypatch.setattr(of_torchvision, "of_url", damaged)
    with pytest.raises(ValueError, match=r"cannot be fetched \(RuntimeError\)"):
        find("torchvision/mobilenet_v2")


@pytest.mark.parametrize("safe", [True, False])
def test_a_folder_as_timm_writes_it_is_read_with_its_own_normalisation_and_classes(tmp_path, safe):
    net = trained(timm.create_model("resnet18d", num_classes=3))
    said = dict(label_names=["cat", "cow", "dog"], pretrained_cfg=dict(mean=(0.5, 0.5, 0.5), license="mit"))
    save_for_hf(net, tmp_path / "mine", said, safe_serialization=safe)
    given = find(f"local-dir:{tmp_path / 'mine'}")
    assert given.name == "mine" and given.backbone["model"] == "resnet18d" and given.licence == "mit"
    assert given.mean == [127.5] * 3 and given.std == pytest.approx(IMAGENET[1])
    assert given.classes == ("cat", "cow", "dog")
    assert find(str(tmp_path / "mine")).sha256 == given.sha256
    assert same_logits(given, net)


@pytest.mark.parametrize(
    ("said", "fed", "told"),
    [
        (dict(interpolation="box"), "area", None),  # as our own folders say it
        (dict(interpolation="random"), "bilinear", None),
        (dict(interpolation="hamming"), "hamming", r"interpolation 'hamming'"),
        (dict(mean=[0.5], std=[0.5]), "bicubic", r"mean \[127\.5\].*photographs have three"),
    ],
)
def test_how_a_folder_says_that_images_are_fed_is_taken_or_refused_in_one_line(tmp_path, said, fed, told):
    net = timm.create_model("resnet18", num_classes=3)
    save_for_hf(net, tmp_path / "mine", dict(pretrained_cfg=dict(interpolation="bicubic") | said))
    stated = json.loads((path := tmp_path / "mine" / "config.json").read_text())
    path.write_text(json.dumps(stated | {"pretrained_cfg": stated["pretrained_cfg"] | said}))
    assert find(str(tmp_path / "mine")).interpolation == fed
    with nullcontext() if told is None else pytest.raises(ValueError, match=told) as error:
        start(load("given"), str(tmp_path / "mine"))
    assert told is None or "\n" not in str(error.value)


def test_a_head_is_the_outermost_layer_of_that_name_not_a_blocks_gate(tmp_path):
    """timm's VoVNet has gates `stages.0.blocks.0.attn.fc`."""
    net = timm.create_model("ese_vovnet19b_slim", num_classes=7)
    path = put(tmp_path / "a.pth", net.state_dict())
    given = find(str(path), "timm/ese_vovnet19b_slim")
    assert given.whole and given.whole()(image()).shape == (1, 7)


FOLDERS = {  # what is told: config.json
    r"config\.json": None,
    "ViTForImageClassification.*ConvNeXt.*TimmWrapper": dict(
        architectures=["ViTForImageClassification"], model_type="vit"
    ),
    "resnet equals no backbone": dict(model_type="resnet", depths=[3, 4, 6, 4]),
    "convnext equals no backbone": dict(model_type="convnext", depths="many"),
    r"config\.json: a.*integer": dict(model_type="resnet", id2label={"a": "cat"}),
    "timm/resnet51 does not exist; did you mean": dict(architecture="resnet51", pretrained_cfg={}),
    r"config\.json: mean\.0 .*number": dict(architecture="resnet18", pretrained_cfg=dict(mean=["a", "b", "c"])),
    r"config\.json: architecture .*string": dict(architecture=["resnet18"], pretrained_cfg={}),
    r"config\.json: .*dict": dict(architecture="resnet18", pretrained_cfg={}, model_args=[1]),
    "takes 1 channels": dict(architecture="resnet18", pretrained_cfg=dict(input_size=[1, 28, 28])),
    "checkpoint_path would load weights": dict(architecture="resnet18", model_args=dict(checkpoint_path="evil.pth")),
    r"neither model\.safetensors nor pytorch_model\.bin": dict(architecture="resnet18", pretrained_cfg={}),
}


@pytest.mark.parametrize("told", FOLDERS)
def test_a_folder_that_is_not_timms_is_refused_in_one_line(tmp_path, told):
    folder = tmp_path / "folder"
    folder.mkdir()
    if FOLDERS[told]:
        (folder / "config.json").write_text(json.dumps(FOLDERS[told]))
        if "neither" not in told:
            put(folder / "model.safetensors", {"a": torch.zeros(1)})
    with pytest.raises((ValueError, FileNotFoundError), match=told) as error:
        find(str(folder))
    assert "\n" not in str(error.value)


def test_a_folder_whose_settings_are_broken_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{broken")
    with pytest.raises(ValueError, match=r"config\.json is no JSON text: [^\n]*$"):
        find(str(tmp_path))


def test_torchvisions_weights_of_torchs_cache_come_with_its_transforms(tmp_path):
    net = trained(torchvision.models.mobilenet_v2())
    entry = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V2
    path = put(tmp_path / "torch" / "checkpoints" / os.path.basename(entry.url), net.state_dict())
    given = find("torchvision/mobilenet_v2")  # its default
    assert (given.name, given.sha256) == ("torchvision_mobilenet_v2_IMAGENET1K_V2", file_sha256(path))
    assert given.backbone["model"] == "mobilenetv2_100"
    assert (given.mean, given.std) == (pytest.approx(IMAGENET[0]), pytest.approx(IMAGENET[1]))
    assert given.interpolation == entry.transforms().interpolation.value
    assert list(given.classes) == ImageNetInfo("imagenet-1k").label_names()
    assert same_logits(given, net)
    with pytest.raises(
        ValueError, match=r"mobilenet_v2-b0353104\.pth .*--arch torchvision/mobilenet_v2:IMAGENET1K_V1$"
    ):
        find("torchvision/mobilenet_v2:IMAGENET1K_V1")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in of_torchvision.EQUALS],
)
def test_each_network_of_torchvisions_that_is_taken_equals_a_backbone(name):
    """In all tensors and epsilons; that the maps are the same, tests/test_given_names.py shows."""
    theirs, net = torchvision.models.get_model(name, weights=None), MODELS.build(of_torchvision.EQUALS[name])
    assert "(100.0%)" in fit(theirs.state_dict(), name, net).report[1]
    epsilons = {layer.eps for layer in theirs.modules() if isinstance(layer, torch.nn.BatchNorm2d)}
    assert {norm.eps for _, norm in net.norms()} == epsilons


def test_torchvisions_published_densenets_have_a_dot_more_in_their_names(tmp_path):
    """Its own code takes it out when it loads them (torchvision/models/densenet.py)."""
    net = trained(torchvision.models.densenet121(num_classes=5))
    state = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))(?=\d)", r"\1.", name): each for name, each in net.state_dict().items()
    }
    given = find(str(put(tmp_path / "densenet121-a639ec97.pth", state)), "torchvision/densenet121")
    assert same_logits(given, net)
    assert "(100.0%)" in fit(given.held, given.source, MODELS.build(given.backbone)).report[1]


UNKNOWN = {  # what is told: the source and --arch
    "timm/resnet5O does not exist; did you mean": ("timm/resnet5O", None),
    r"'resnet18\.a1' does not exist; did you mean 'resnet18\.a1_in1k'": ("timm/resnet18.a1", None),
    "did you mean timm/resnet50 or torchvision/resnet50": ("resnet50", None),
    "does not exist; .*--arch NAME": ("nowhere/x.pth", None),
    "hf-hub:timm/resnet18 does not exist": ("hf-hub:timm/resnet18", None),
    "^ does not exist": ("", None),
    "'resnet5l' does not exist; did you mean 'resnet50'": ("torchvision/resnet5l", None),
    "'IMAGENET' does not exist; did you mean": ("torchvision/resnet50:IMAGENET", None),
    "torchvision/googlenet equals no backbone.*MobileNetV2": ("torchvision/googlenet", None),
    "mine is imported only if it is named; add --import mine": ("mine:Mine", None),
    "add --arch": ("a.pth", None),
    "'resnet50e' does not exist; did you mean 'resnet50'": ("a.pth", "resnet50e"),
    "nowhere is no file": ("nowhere", "resnet50"),
}


@pytest.mark.parametrize("told", UNKNOWN)
def test_what_does_not_exist_is_refused_in_one_line_with_what_is_near(tmp_path, told):
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pth")
    source, arch = UNKNOWN[told]
    with pytest.raises((ValueError, FileNotFoundError), match=told) as error:
        find(source, arch)
    assert "\n" not in str(error.value)


def test_of_a_file_nothing_is_known_unless_its_tag_is_named(tmp_path):
    path = put(tmp_path / "some weights.pth", timm.create_model("resnet18", num_classes=5).state_dict())
    given = find(str(path), "timm/resnet18")
    assert (given.name, given.sha256) == ("some_weights", file_sha256(path))
    assert (given.mean, given.std, given.licence, given.classes) == (None, None, "unknown", ())
    assert find(str(path), "timm/resnet18.a1_in1k").licence == "apache-2.0"
    of_torchvision = find(str(path), "torchvision/resnet18:IMAGENET1K_V1")
    assert of_torchvision.mean == pytest.approx(IMAGENET[0])
    assert of_torchvision.backbone == dict(type="backbones.ResNet", depth=18, tweak="b")


@pytest.mark.parametrize(
    ("arch", "options"),
    [("resnet50", dict(depth=50, tweak="")), ("resnet50b", dict(depth=50, tweak="b")),
     ("resnet101c", dict(depth=101, tweak="bc")), ("resnet18d", dict(depth=18, tweak="bcd"))],
)  # fmt: skip
def test_a_name_without_a_library_is_ours_as_in_our_recipes(tmp_path, arch, options):
    path = put(tmp_path / "a.pth", {"x.weight": torch.zeros(1)})
    given = find(str(path), arch)
    assert given.backbone == dict(type="backbones.ResNet") | options and given.whole is None


MODULE = '''
from backbones.base import Backbone
from backbones.resnet import ResNet


class {name}(ResNet):
    """Three numbers fewer to write."""

    def __init__(self, **options):
        super().__init__(18, "bcd", **options)
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A user's module in the folder where the command starts, which Python itself does not look into."""
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    (tmp_path / "their_module.py").write_text(MODULE.format(name="Their"))
    yield "their_module"
    sys.modules.pop("their_module", None)
    MODELS.module_dict.pop("Their", None)


def test_a_users_class_is_a_registered_backbone_once_its_module_is_named(module):
    given = find("their_module:Their", imports=[module])
    assert given.name == "Their" and given.held is None and given.whole is None
    assert sketch(given.backbone).channels == (64, 128, 256, 512)
    assert isinstance(MODELS.build(given.backbone), Backbone)


def test_processes_that_a_command_starts_know_the_module_too(module):
    """Such a process has the environment, and looks for the backbone's class."""
    find("their_module:Their", imports=[module])
    del MODELS.module_dict["Their"], sys.modules[module]
    reload(imports)
    assert sketch(dict(type="backbones.Their")).channels[0] == 64
    del os.environ[NAMED], MODELS.module_dict["Their"]
    reload(imports)
    with pytest.raises(ValueError, match=r"backbones\.Their"):
        sketch(dict(type="backbones.Their", norm_eval=True))  # not the one that is kept


def test_a_users_class_is_the_architecture_of_a_file(module, tmp_path):
    path = put(tmp_path / "a.pth", {"x": torch.zeros(1)})
    assert find(str(path), "their_module:Their", [module]).backbone == dict(type="backbones.Their")
    with pytest.raises(ValueError, match="no backbone 'Other'.*Backbone"):
        find("their_module:Other", imports=[module])


def test_a_module_that_does_not_import_is_one_line(tmp_path):
    (tmp_path / "broken_module.py").write_text("import nothing_of_this_name")
    with pytest.raises(ValueError, match="--import broken_module fails: .*nothing_of_this_name"):
        find("broken_module:X", imports=["broken_module"])
