"""The segmentation protocol of the authors' code: its gradient, its heads, and how it is scored."""

from math import ceil
from pathlib import Path

import numpy as np
import protocols
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from test_segmentation import build, complete
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate
from toy_ade20k import card_of, make, small

from backbones.card import Card
from segmentation.authors import starts
from trick_transfer.stages import STAGES

NAME = "fcn_ade20k_authors"
BLACK = [-mean / std for mean, std in zip([123.68, 116.779, 103.939], [58.393, 57.12, 57.375], strict=True)]


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    return card_of(tmp_path_factory.mktemp("card"))


def test_it_differs_from_the_papers_where_the_code_does_and_nowhere_else() -> None:
    paper, authors = (protocols.load(None, name).to_dict() for name in ("fcn_ade20k", NAME))
    steps = authors["val_dataloader"]["dataset"].pop("pipeline")
    assert [step["type"] for step in steps] == ["LoadImageFromFile", "segmentation.LoadMask", "PackSegInputs"]
    assert steps == [step for step in paper["val_dataloader"]["dataset"].pop("pipeline") if step["type"] != "Resize"]
    model, optimizer = authors["model"], authors["optim_wrapper"]["optimizer"]
    assert model.pop("test_cfg") == dict(scales=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75), long_px=520, crop_px=480)
    assert (model.pop("type"), model["auxiliary_head"]["loss_decode"].pop("loss_weight")) == (
        "segmentation.AuthorsFCN", 1.0
    )  # fmt: skip
    assert (optimizer.pop("lr"), optimizer.pop("weight_decay")) == (0.0025, 4e-4)
    for head in ("decode_head", "auxiliary_head"):
        start = model[head].pop("init_cfg")
        assert (start["type"], start["a"], start["b"]) == ("Uniform", -0.07, 0.07)
    for key in ("test_cfg", "type"):
        paper["model"].pop(key)
    paper["model"]["auxiliary_head"]["loss_decode"].pop("loss_weight")
    for key in ("lr", "weight_decay"):
        paper["optim_wrapper"]["optimizer"].pop(key)
    assert authors == paper


def test_its_steps_are_those_of_softmax_output_on_four_gpus() -> None:
    """By hand: rate 0.01, decay 1e-4; the gradients of both losses' means, added over 4 GPUs and divided by 16."""
    cfg = protocols.load(None, NAME)
    auxiliary = cfg.model.auxiliary_head.loss_decode.loss_weight
    torch.manual_seed(0)
    pixels, truth = torch.randn(16, 9, 5), torch.randint(0, 3, (16, 9))
    ours, theirs = (torch.full((2, 5, 3), 0.1, dtype=torch.float64, requires_grad=True) for _ in range(2))

    def losses(weight: Tensor, some: slice) -> list[Tensor]:
        return [cross_entropy((pixels[some].double() @ head).flatten(0, 1), truth[some].flatten()) for head in weight]

    momentum = torch.zeros_like(theirs)
    optimizer = torch.optim.SGD(
        [ours], **{key: each for key, each in cfg.optim_wrapper.optimizer.items() if key != "type"}
    )
    for _ in range(3):
        optimizer.zero_grad()
        main, aux = losses(ours, slice(None))
        (main + auxiliary * aux).backward()
        optimizer.step()
        gpus = [sum(losses(theirs, slice(first, first + 4))) for first in range(0, 16, 4)]
        (gradient,) = torch.autograd.grad(sum(gpus), theirs)
        momentum = 0.9 * momentum - 0.01 * (gradient / 16 + 1e-4 * theirs.detach())
        theirs = (theirs.detach() + momentum).requires_grad_()
    torch.testing.assert_close(ours, theirs)


def test_its_heads_start_uniform_drop_single_values_and_learn_ten_times_as_fast(card: Card) -> None:
    cfg = protocols.load(card, NAME)
    model = build(cfg)
    model.init_weights()
    for head in (model.decode_head, model.auxiliary_head):
        for conv in (head.convs[0].conv, head.conv_seg):
            low, high = conv.weight.detach().aminmax()
            assert -0.07 <= low < -0.069 and 0.069 < high <= 0.07
            assert float(conv.weight.detach().std()) == pytest.approx(0.07 / 3**0.5, rel=0.02)
        assert not head.conv_seg.bias.any()
        dropped = head.dropout.train()(torch.ones(1, 100, 10, 10)) == 0
        assert float(dropped.float().mean()) == pytest.approx(0.1, abs=0.02) and not dropped.all((2, 3)).any()
        assert dropped.any((2, 3)).all(), "of each channel something"
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    assert {group["lr"] for group in groups} == {0.0025, 0.025}
    assert {group["weight_decay"] for group in groups} == {4e-4}


def slid_by_hand(net: nn.Module, image: Tensor, scales: list[float], long_px: int, crop_px: int) -> np.ndarray:
    """GluonCV's MultiEvalModel as its text reads, in loops: parts at the border are filled up one by one."""
    height, width = image.shape[2:]
    total = np.zeros((1, 4, height, width))

    def filled(part: Tensor) -> Tensor:
        new = torch.tensor(BLACK)[None, :, None, None].repeat(
            1, 1, max(part.shape[2], crop_px), max(part.shape[3], crop_px)
        )
        new[:, :, : part.shape[2], : part.shape[3]] = part
        return new

    for scale in scales:
        longer = ceil(long_px * scale)
        if height > width:
            size = longer, int(width * longer / height + 0.5)
        else:
            size = int(height * longer / width + 0.5), longer
        view = filled(interpolate(image, size=size, mode="bilinear", align_corners=True))
        score, count = np.zeros((1, 4, *view.shape[2:])), np.zeros(view.shape[2:])
        step = int(crop_px * 2 / 3)
        for row in range(ceil((view.shape[2] - crop_px) / step) + 1):
            for column in range(ceil((view.shape[3] - crop_px) / step) + 1):
                top, left = row * step, column * step
                part = view[:, :, top : top + crop_px, left : left + crop_px]
                h, w = part.shape[2:]
                with torch.no_grad():
                    logits = net(filled(part)) + net(filled(part).flip(3)).flip(3)
                score[:, :, top : top + h, left : left + w] += logits.exp().numpy()[:, :, :h, :w]
                count[top : top + h, left : left + w] += 1
        mean = torch.from_numpy((score / count)[:, :, : size[0], : size[1]])
        total += interpolate(mean, size=(height, width), mode="bilinear", align_corners=True).numpy()
    return total


@pytest.mark.parametrize("size", [(37, 61), (61, 37), (20, 20), (9, 120)])
def test_scores_are_those_of_a_plain_loop_over_crops(size: tuple[int, int], card: Card) -> None:
    cfg = protocols.load(card, NAME)
    cfg.model.decode_head.num_classes = 4
    views = dict(scales=[0.5, 1.0, 1.75], long_px=30, crop_px=24)  # 15, 30 and 53 px: one crop, and several
    cfg.model.test_cfg = Config(views)
    model = build(cfg).eval()
    torch.manual_seed(0)
    net = nn.Conv2d(3, 4, 7, padding=3)  # sees borders, and which side is left
    model._forward = lambda crops: net(crops)
    image = torch.randn(1, 3, *size)
    with torch.no_grad():
        got = model.inference(image, [])
        twice = model.inference(image.repeat(2, 1, 1, 1), [])
    expected = slid_by_hand(net, image, **views)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-4)
    assert all(torch.allclose(each, got[0]) for each in twice)


@pytest.mark.parametrize(
    ("side_px", "found"), [(260, [0]), (480, [0]), (520, [0, 320]), (800, [0, 320]), (910, [0, 320, 640])]
)
def test_crops_of_480_px_start_every_320_px(side_px: int, found: list[int]) -> None:
    assert starts(side_px, 480) == found


def test_a_network_is_asked_for_the_size_of_the_crops_alone() -> None:
    sizes = STAGES["segmentation"].image_sizes
    assert list(sizes(protocols.load(None, NAME))) == [(480, 480)]
    assert list(sizes(protocols.load(None, "fcn_ade20k"))) == [(520, 781)]


def test_the_runner_trains_and_scores_it_on_masks_of_the_original_size(card: Card, tmp_path: Path) -> None:
    cfg = small(protocols.load(card, NAME, make(tmp_path / "ade")))
    cfg.model.test_cfg.update(scales=(0.5, 1.0), long_px=52, crop_px=48)
    cfg.train_cfg.update(max_epochs=1, val_begin=2)
    cfg.param_scheduler[0].end = 1
    cfg.val_evaluator.outputs = str(tmp_path / "outputs.npz")
    runner = Runner.from_cfg(complete(cfg, tmp_path))
    runner.train()
    metrics = runner.val()
    assert metrics["samples_scored"] == 3 and 0 < metrics["miou"] <= metrics["pix_acc"] <= 100
    with np.load(tmp_path / "outputs.npz") as arrays:
        assert [arrays[f"shown_{i}"].shape for i in range(3)] == [(48, 24 * (3 + i)) for i in range(3)]
