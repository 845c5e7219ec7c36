"""Whether a network uses its residual branches: they can be switched off, in every kind of backbone."""

import copy
import json
from pathlib import Path

import pytest
import timm
import torch
from mmengine.config import Config
from torch import nn

from backbones.branches import branches_off, last_gammas, last_layers
from backbones.resnet import BLOCKS, Residual, ResNet
from backbones.timm_adapter import Timm
from classification.classifier import ImageClassifier
from classification.data import ImageFolder
from classification.diagnostics import residual_branches
from trick_transfer.leaderboard.scores.controls import DEAD_BELOW

ROOT = Path(__file__).parents[1]
# of networks with residual blocks that keep their shape: (name, class of the block, what follows the sum)
KINDS = [
    ("resnet18", "BasicBlock", torch.relu),
    ("seresnext50_32x4d", "Bottleneck", torch.relu),
    ("regnetx_002", "Bottleneck", torch.relu),
    ("hrnet_w18_small", "BasicBlock", torch.relu),
    ("mobilenetv2_100", "InvertedResidual", nn.Identity()),
    ("efficientnet_lite0", "InvertedResidual", nn.Identity()),
    ("convnext_atto", "ConvNeXtBlock", nn.Identity()),
    ("swin_tiny_patch4_window7_224", "SwinTransformerBlock", nn.Identity()),
]


def randomised(net):
    """Norms that trained for a while: neither gamma 1 nor beta 0; and ConvNeXt's layer scales, which start at 1e-6."""
    for module in net.modules():
        if type(module).__name__ == "ConvNeXtBlock":
            nn.init.uniform_(module.gamma, 0.5, 1.5)
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return net.eval()


@pytest.mark.parametrize(("name", "block", "after"), KINDS)
def test_a_block_whose_branches_are_off_is_its_shortcut_in_timms_networks_too(name, block, after):
    torch.manual_seed(0)
    net = randomised(Timm(name, options=dict(img_size=64) if "swin" in name else None))
    seen = []

    def watch(module, given, found):
        if given[0].shape == found.shape and isinstance(getattr(module, "downsample", None), nn.Identity | type(None)):
            seen.append((module, after(given[0]), found))

    for module in net.modules():
        if type(module).__name__ == block and getattr(module, "has_skip", True):
            module.register_forward_hook(watch)
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        whole = net(image)[-1]
        used = len(seen)
        with branches_off(net):
            cut = net(image)[-1]
        again = net(image)[-1]
    assert used > 2 and all(torch.allclose(x, y, atol=1e-6) for _, x, y in seen[used : 2 * used])
    assert not any(torch.allclose(x, y, atol=1e-3) for _, x, y in seen[:used])
    assert set(last_gammas(net)) <= set(range(1, 1 + len(net.channels)))
    assert torch.equal(again, whole) and not torch.allclose(cut, whole, atol=1e-3)


@pytest.mark.parametrize("depth", [18, 26, 34, 50])
def test_our_resnets_branches_are_off_as_timms_are_with_zero_gamma(depth):
    """timm's own `zero_init_last` is the independent way."""
    net = randomised(ResNet(depth, "b"))
    blocks = [module for module in net.modules() if isinstance(module, Residual)]
    assert len(list(last_layers(net))) == len(blocks) == sum(BLOCKS[depth])
    theirs = timm.create_model(f"resnet{depth}", zero_init_last=True)
    zeroed = [n for n, p in theirs.named_parameters() if n.endswith(("bn2.weight", "bn3.weight")) and not p.any()]
    assert len(zeroed) == len(blocks)
    with branches_off(net):
        assert all(not layer.weight.any() and not layer.bias.any() for _, layer in last_layers(net))
        image = torch.randn(2, blocks[-1].path[0].conv.in_channels, 4, 4).abs()
        assert torch.equal(blocks[-1](image), image)


def test_last_gammas_are_told_by_stage():
    net = ResNet(18, "bcd")
    for stage in range(1, 5):
        for block in net.get_submodule(f"stage{stage}"):
            nn.init.constant_(block.last_norm.weight, -0.1 * stage)
    assert {stage: round(float(each.max()), 3) for stage, each in last_gammas(net).items()} == {
        stage: round(0.1 * stage, 3) for stage in range(1, 5)
    }


def test_networks_without_residual_branches_have_no_diagnostic():
    for name in ("mobilenetv1_100", "inception_v3"):
        model = ImageClassifier(backbone=dict(type="backbones.Timm", model=name), num_classes=2)
        assert residual_branches(model, Config()) is None


def test_the_diagnostic_counts_the_predictions_of_the_network_without_branches(photos):
    """Counted again, image by image, with a network whose last gammas and betas were set to 0 by hand."""
    torch.manual_seed(3)
    scaler = dict(type="classification.PixelScaler", mean=(0,) * 3, std=(255,) * 3, pca_std=0.0)
    backbone = dict(type="backbones.ResNet", depth=18, tweak="b")
    model = randomised(ImageClassifier(backbone=backbone, num_classes=10, data_preprocessor=scaler))
    crop = dict(type="center", size_px=64, shorter_px=72)
    data = dict(type="classification.ImageFolder", split="val", crop=crop)
    val = dict(batch_size=4, num_workers=0, dataset=data)
    cfg = Config(dict(data=dict(root=str(photos)), val_dataloader=val, model=dict(num_classes=10)))
    found = residual_branches(model, cfg)

    by_hand = copy.deepcopy(model)
    for module in by_hand.modules():
        if isinstance(module, Residual):
            nn.init.zeros_(module.path[-1].bn.weight)
            nn.init.zeros_(module.path[-1].bn.bias)
    images = ImageFolder(str(photos), "val", 10, crop)
    with torch.no_grad():
        tensors = (torch.tensor(each["inputs"]).permute(2, 0, 1)[None] / 255 for each in images)
        right = [int(by_hand(each).argmax()) == label for each, label in zip(tensors, images.labels, strict=True)]
    assert 0 < sum(right) < len(right), "a score that a constant would have too shows nothing"
    assert found["top1_off"] == pytest.approx(100 * sum(right) / len(right), abs=1e-4)
    assert found["gammas"].keys() == {"1", "2", "3", "4"}
    assert all(0.5 < each["median"] <= each["largest"] <= 1.5 for each in found["gammas"].values())


def test_the_branches_of_minis_best_recipe_live():
    """Of the committed runs: a network of zero gammas is no deeper than its shortcuts."""
    runs = sorted((ROOT / "results/mini/resnet50d_best").glob("seed*/classification/metrics.json"))
    assert len(runs) >= 3
    for path in runs:
        result = json.loads(path.read_text())
        assert result["metrics"]["top1"] - result["branches"]["top1_off"] > DEAD_BELOW, path
