"""Folders as transformers writes them: its own ResNets and ConvNeXts, against transformers itself."""

import json

import pytest
import torch
from transformers import (
    ConvNextConfig,
    ConvNextForImageClassification,
    ConvNextImageProcessor,
    ResNetConfig,
    ResNetForImageClassification,
    ResNetModel,
)

from backbones.given.fit import fit
from backbones.given.source import find
from backbones.registry import MODELS

SMALL = dict(layer_type="basic", depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512])
WORDNET = ("n01440764", "n01443537", "n01484850")  # tench, goldfish, great white shark
LABELS = {0: "cat", 1: "cow", 2: "dog"}


def saved(kind, config, folder):
    """A network with weights of which each counts, in a folder."""
    torch.manual_seed(0)
    net = kind(config).eval()
    with torch.no_grad():
        for name, each in net.state_dict().items():
            if name.endswith("running_mean"):
                each.normal_(0, 0.1)
            elif name.endswith(("running_var", "layer_scale_parameter")):
                each.uniform_(0.5, 1.5)
    net.save_pretrained(folder)
    return net


@torch.no_grad()
def check_maps(net, given):
    """The backbone's four maps are transformers'."""
    images = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    ours = MODELS.build(given.backbone).eval()
    fitted = fit(given.held, given.source, ours)
    assert "(100.0%)" in fitted.report[1] and "left over" not in " ".join(fitted.report)
    ours.load_state_dict(fitted.trunk)
    found = net(images, output_hidden_states=True)
    for one, their in zip(ours(images), found.hidden_states[-4:], strict=True):
        torch.testing.assert_close(one, their, rtol=1e-4, atol=1e-5)
    if given.whole:
        torch.testing.assert_close(given.whole()(images), found.logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (ResNetForImageClassification, ResNetConfig(**SMALL, num_labels=3, id2label=LABELS)),
        pytest.param(ResNetForImageClassification, ResNetConfig(num_labels=1000), marks=pytest.mark.slow),
        (ResNetModel, ResNetConfig(**SMALL)),
        pytest.param(
            ConvNextForImageClassification, ConvNextConfig(num_labels=3, id2label=LABELS), marks=pytest.mark.slow
        ),
    ],
)
def test_a_folder_of_transformers_gives_its_maps_and_logits(tmp_path, kind, config):
    net = saved(kind, config, tmp_path / "folder")
    given = find(str(tmp_path / "folder"))
    assert given.name == "folder" and (given.whole is None) == (kind is ResNetModel)
    if kind is not ResNetModel:  # without names: ImageNet's, as its folders are called
        assert given.classes[:3] == (tuple(LABELS.values()) if config.num_labels == 3 else WORDNET)
    check_maps(net, given)


def test_images_are_fed_as_the_folder_says_and_its_model_card_has_the_licence(tmp_path):
    saved(ResNetModel, ResNetConfig(**SMALL), tmp_path)
    said = find(str(tmp_path))
    assert (said.mean, said.std, said.licence) == (None, None, "unknown"), "asked of the user"
    ConvNextImageProcessor(resample=3, image_mean=[0.5, 0.4, 0.3], image_std=[0.2, 0.2, 0.1]).save_pretrained(tmp_path)
    (tmp_path / "README.md").write_text("---\nlicense: [\n---\n")
    assert find(str(tmp_path)).licence == "unknown"
    (tmp_path / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A ResNet\n")
    said = find(f"local-dir:{tmp_path}")
    assert said.mean == pytest.approx([127.5, 102, 76.5]) and said.std == pytest.approx([51, 51, 25.5])
    assert (said.interpolation, said.licence) == ("bicubic", "apache-2.0")
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"do_normalize": False}))
    assert find(str(tmp_path)).mean is None
    path.write_text('{"image_mean": [9, 8, 7], "image_std": [1, 2, 3], "do_rescale": false, "resample": null}')
    assert find(str(tmp_path)).mean == [9, 8, 7] and find(str(tmp_path)).interpolation == "bilinear"
    path.write_text('{"image_mean": "grey"}')
    with pytest.raises(ValueError, match=r"preprocessor_config\.json: image_mean .*list"):
        find(str(tmp_path))


@pytest.mark.parametrize(
    "change", [dict(downsample_in_bottleneck=True), dict(embedding_size=32), dict(hidden_act="gelu")]
)
def test_a_network_that_equals_none_is_refused_in_one_line(tmp_path, change):
    config = ResNetConfig(**change)
    config.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match=r"config\.json: resnet equals no backbone here; .*ConvNeXt tiny") as told:
        find(str(tmp_path))
    assert "\n" not in str(told.value)
