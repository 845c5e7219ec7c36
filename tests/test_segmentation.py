"""The segmentation protocols: what is filled in, the model, its loss, rates and views."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import protocols
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, TRANSFORMS, init_default_scope
from mmengine.runner import Runner
from mmseg.models import EncoderDecoder
from toy_ade20k import card_of, make, small

from backbones.card import arrived_percent
from backbones.resnet import ResNet


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "ade")


def complete(cfg: Config, folder: Path) -> Config:
    """What tools/train.py adds for a Runner."""
    rest = dict(work_dir=str(folder / "work"), log_level="ERROR", randomness=dict(seed=0))
    return Config(cfg.to_dict() | rest | dict(default_hooks=dict(checkpoint=None)))


def build(cfg: Config) -> torch.nn.Module:
    init_default_scope("mmseg")
    return MODELS.build(cfg.model)


def test_two_cards_configs_differ_only_in_the_backbone_slot(tmp_path: Path) -> None:
    cards = card_of(tmp_path / "a"), card_of(tmp_path / "b", depth=34, tweak="b")
    a, b = (protocols.load(card, "fcn_ade20k", tmp_path).to_dict() for card in cards)
    assert a["model"].pop("backbone") != b["model"].pop("backbone")
    assert a == b


def test_without_a_card_the_slot_stays_empty() -> None:
    assert protocols.load(None, "fcn_ade20k").model.backbone == dict(output_stride=8)


def test_the_papers_protocols_differ_only_in_the_views_that_are_scored() -> None:
    a, b = (protocols.load(None, protocol).to_dict() for protocol in ("fcn_ade20k", "fcn_ade20k_msflip"))
    assert a["model"].pop("test_cfg") == dict(scales=(1.0,), flip=False)
    assert b["model"].pop("test_cfg") == dict(scales=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75), flip=True)
    assert a == b


def test_an_unknown_protocol_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="fcn_ade20k_msflip"):
        protocols.load(None, "fcn_ade20k_flip")


def test_images_are_fed_as_the_cards_weights_saw_them(tmp_path: Path) -> None:
    card = replace(card_of(tmp_path), mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0], channel_order="bgr")
    cfg = protocols.load(replace(card, interpolation="bicubic"), "fcn_ade20k")
    fed = cfg.model.data_preprocessor
    assert (fed.mean, fed.std, fed.bgr_to_rgb) == ([3.0, 2.0, 1.0], [6.0, 5.0, 4.0], False)
    steps = [*cfg.train_dataloader.dataset.dataset.pipeline, *cfg.val_dataloader.dataset.pipeline]
    assert [each.type for each in steps if each.get("interpolation") == "bicubic"] == ["RandomResize", "Resize"]
    init_default_scope("mmseg")
    built = TRANSFORMS.build(next(each for each in steps if each.type == "RandomResize"))
    assert built.resize.interpolation == "bicubic"


@pytest.mark.parametrize("tweak", ["", "bcd"])
def test_every_tensor_of_the_card_arrives_bit_for_bit(tmp_path: Path, tweak: str) -> None:
    card = card_of(tmp_path, tweak=tweak)
    model = build(protocols.load(card, "fcn_ade20k"))
    model.init_weights()
    assert arrived_percent(card, model.backbone) == 100
    with torch.no_grad():
        next(model.backbone.parameters()).add_(1)
    assert arrived_percent(card, model.backbone) < 100


def test_features_within_the_segmenter_are_the_cards_at_stride_8(tmp_path: Path, device: str) -> None:
    card = card_of(tmp_path)
    model = build(protocols.load(card, "fcn_ade20k"))
    model.init_weights()  # as the Runner does before training
    alone = ResNet(**{k: v for k, v in card.slot(output_stride=8).items() if k != "type"})
    images = torch.randn(2, 3, 64, 64)
    got, expected = model.to(device).eval().extract_feat(images.to(device)), alone.eval()(images)
    assert got[3].shape == (2, 512, 8, 8)
    for found, each in zip(got, expected, strict=True):
        differing = 1e-3 * each.abs().max().item() if device == "cuda" else 0
        torch.testing.assert_close(found.cpu(), each, rtol=0, atol=differing)


def test_heads_ask_the_backbone_for_channels_and_state_the_classes_once(tmp_path: Path) -> None:
    cfg = protocols.load(card_of(tmp_path, depth=50), "fcn_ade20k")
    cfg.model.decode_head.num_classes = 7
    model = build(cfg)
    assert (model.decode_head.convs[0].conv.weight.shape, model.decode_head.conv_seg.weight.shape) == (
        (512, 2048, 3, 3), (7, 512, 1, 1))  # fmt: skip
    assert (model.auxiliary_head.convs[0].conv.weight.shape, model.auxiliary_head.conv_seg.weight.shape) == (
        (256, 1024, 3, 3), (7, 256, 1, 1))  # fmt: skip


def test_the_loss_is_the_mean_over_labelled_pixels_plus_half_the_auxiliary_one(
    root: Path, tmp_path: Path, device: str
) -> None:
    cfg = small(protocols.load(card_of(tmp_path), "fcn_ade20k", root))
    cfg.model.decode_head.dropout_ratio = cfg.model.auxiliary_head.dropout_ratio = 0
    model = build(cfg).to(device).train()
    batch = model.data_preprocessor(next(iter(Runner.build_dataloader(cfg.train_dataloader, seed=0))), training=True)
    truth = torch.cat([sample.gt_sem_seg.data for sample in batch["data_samples"]])
    losses = model(**batch, mode="loss")
    maps = model.extract_feat(batch["inputs"])
    for head, name, weight in ((model.decode_head, "decode", 1.0), (model.auxiliary_head, "aux", 0.5)):
        logits = torch.nn.functional.interpolate(head(maps), size=(48, 48), mode="bilinear", align_corners=True)
        expected = weight * torch.nn.functional.cross_entropy(logits, truth, ignore_index=255)
        torch.testing.assert_close(losses[f"{name}.loss_ce"], expected)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_the_dilated_network_trains_in_low_precision_on_a_gpu(root: Path, tmp_path: Path, precision: str) -> None:
    cfg = small(protocols.load(card_of(tmp_path), "fcn_ade20k", root))
    cfg.optim_wrapper.update(type="trick_transfer.LowPrecisionOptimWrapper", precision=precision)
    model = build(cfg).to("cuda").train()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    batch = next(iter(Runner.build_dataloader(cfg.train_dataloader, seed=0)))
    losses = [model.train_step(batch, wrapper)["loss"].item() for _ in range(16)]  # the first ones may overflow
    assert max(losses[-2:]) < 0.85 * losses[0]


def test_heads_learn_ten_times_as_fast(tmp_path: Path) -> None:
    cfg = protocols.load(card_of(tmp_path), "fcn_ade20k")
    model = build(cfg)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    rates = {names[id(parameter)]: group["lr"] for group in groups for parameter in group["params"]}
    assert set(rates) == set(names.values())
    assert {lr for name, lr in rates.items() if "head." in name} == {0.01 * 10}
    assert {lr for name, lr in rates.items() if name.startswith("backbone.")} == {0.01}
    assert {group["weight_decay"] for group in groups} == {1e-4}


def test_the_rate_falls_as_a_polynomial_from_the_first_step_to_zero(root: Path, tmp_path: Path) -> None:
    cfg = small(protocols.load(card_of(tmp_path), "fcn_ade20k", root))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.01)
    runner = Runner.from_cfg(complete(cfg, tmp_path))
    runner._train_loop = runner.build_train_loop(cfg.train_cfg)
    runner.optim_wrapper = runner.build_optim_wrapper(dict(type="OptimWrapper", optimizer=optimizer))
    (schedule,) = runner.build_param_scheduler(cfg.param_scheduler)
    rates = []
    for _ in range(240):  # 120 epochs of 4 // 2 steps
        rates.append(optimizer.param_groups[0]["lr"])
        schedule.step()
    expected = [0.01 * (1 - step / 239) ** 0.9 for step in range(240)]
    np.testing.assert_allclose([rates[0], rates[120], rates[239]], [expected[0], expected[120], 0.0], atol=1e-12)
    np.testing.assert_allclose(rates, expected, atol=1e-12)


def test_one_view_is_mmsegs_whole_image_inference(tmp_path: Path) -> None:
    model = build(protocols.load(card_of(tmp_path), "fcn_ade20k")).eval()
    images, meta = torch.randn(1, 3, 56, 72), [dict(ori_shape=(56, 72), img_shape=(56, 72))]
    with torch.no_grad():
        got = model.inference(images, meta)
        model.test_cfg = Config(dict(mode="whole"))
        torch.testing.assert_close(got, EncoderDecoder.inference(model, images, meta))


def test_several_views_are_averaged_by_probability_so_that_mirrored_images_score_alike(tmp_path: Path) -> None:
    model = build(protocols.load(card_of(tmp_path), "fcn_ade20k_msflip")).eval()
    model.test_cfg = dict(scales=(1.0, 1.5), flip=True)
    images = torch.randn(1, 3, 48, 64)
    with torch.no_grad():
        seen, mirrored = model.inference(images, []), model.inference(images.flip(3), [])
    torch.testing.assert_close(seen.sum(1), torch.ones(1, 48, 64))
    torch.testing.assert_close(seen, mirrored.flip(3), atol=1e-5, rtol=1e-4)


def test_the_runner_trains_and_scores_the_config_as_it_is(root: Path, tmp_path: Path) -> None:
    cfg = small(protocols.load(card_of(tmp_path), "fcn_ade20k", root))
    cfg.train_cfg.update(max_epochs=2, val_begin=3)
    cfg.param_scheduler[0].end = 2
    cfg.val_evaluator.outputs = str(tmp_path / "outputs.npz")
    runner = Runner.from_cfg(complete(cfg, tmp_path))
    before = {name: tensor.clone() for name, tensor in runner.model.state_dict().items()}
    runner.train()
    moved = {name for name, tensor in runner.model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == set(before)  # every weight, and the running statistics of every batch norm
    metrics = runner.val()
    assert metrics["samples_scored"] == 3
    assert 0 < metrics["miou"] <= metrics["pix_acc"] <= 100
    assert np.load(tmp_path / "outputs.npz")["counts"].shape == (3, 3, 3)
