"""Segmentation: the protocol, the model in its slots, and the data that it reads."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from mmseg.models import EncoderDecoder
from PIL import Image
from safetensors.torch import save_file

from backbones.base import file_sha256
from backbones.card import Card
from backbones.resnet import ResNet
from segmentation import config
from segmentation.data import ADE20K, LoadMask, RandomBlur, is_whole

CLASSES = ("cat", "dog", "grass")


def card_of(folder: Path, depth: int = 18, tweak: str = "bcd") -> Card:
    """A card over random weights."""
    folder.mkdir(parents=True, exist_ok=True)
    backbone = ResNet(depth, tweak)
    save_file(backbone.state_dict(), folder / "backbone.safetensors")
    return Card(
        name=folder.name, tier="smoke", seed=0, backbone=dict(type="backbones.ResNet", depth=depth, tweak=tweak),
        channels=list(backbone.channels), strides=list(backbone.strides), mean=[123.68, 116.779, 103.939],
        std=[58.393, 57.12, 57.375], sha256=file_sha256(folder / "backbone.safetensors"), metrics={}, feature_error=0.0,
        commit="", versions={}, licences={}, folder=folder,
    )  # fmt: skip


def write_pair(root: Path, split: str, name: str, mask: np.ndarray) -> None:
    """A JPEG whose colour tells the class, and its mask as a palette PNG, as ADE20K has them."""
    folders = [root / "ADEChallengeData2016" / kind / split for kind in ("images", "annotations")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folders[0] / f"{name}.jpg"), np.stack([60 * mask, 200 - 50 * mask, mask], axis=2).astype(np.uint8))
    image = Image.fromarray(mask.astype(np.uint8)).convert("P")
    image.putdata(mask.ravel().tolist())
    image.save(folders[1] / f"{name}.png")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four training and three validation images of 3 classes and "other"."""
    rng = np.random.default_rng(0)
    for split, count in (("training", 4), ("validation", 3)):
        for i in range(count):
            coarse = np.resize(rng.permutation(4), (2, 3 + i))
            write_pair(tmp_path / "ade", split, f"{i:04d}", np.kron(coarse, np.ones((24, 24), np.int64)))
    return tmp_path / "ade"


def small(cfg: Config) -> Config:
    """The protocol on tiny images."""
    for dataset in config.datasets(cfg):
        dataset.metainfo = dict(classes=CLASSES)
    cfg.model.decode_head.num_classes = len(CLASSES)
    train = cfg.train_dataloader.dataset.dataset.pipeline
    train[3].scale, train[4].size, train[5].crop_size = [(1000, 24), (1000, 96)], (48, 48), (48, 48)
    cfg.val_dataloader.dataset.pipeline[1].scale = (192, 48)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.num_workers, loader.persistent_workers = 0, False
    cfg.train_dataloader.batch_size = 2
    return cfg


def complete(cfg: Config, folder: Path) -> Config:
    """What tools/train.py adds for a Runner."""
    rest = dict(work_dir=str(folder / "work"), log_level="ERROR", randomness=dict(seed=0))
    return Config(cfg.to_dict() | rest | dict(default_hooks=dict(checkpoint=None)))


def build(cfg: Config) -> torch.nn.Module:
    init_default_scope("mmseg")
    return MODELS.build(cfg.model)


def dataset_of(root: Path, split: str = "training", **options: object) -> ADE20K:
    prefix = {
        k: f"ADEChallengeData2016/{v}/{split}" for k, v in (("img_path", "images"), ("seg_map_path", "annotations"))
    }
    return ADE20K(data_root=str(root), data_prefix=prefix, metainfo=dict(classes=CLASSES), **options)


def load_mask(mask: Path, shape: tuple[int, int], num_classes: int = 3) -> np.ndarray:
    wanted = dict(seg_map_path=str(mask), ori_shape=shape, num_classes=num_classes, seg_fields=[])
    return LoadMask()(wanted)["gt_seg_map"]


def test_two_cards_configs_differ_only_in_the_backbone_slot(tmp_path: Path) -> None:
    cards = card_of(tmp_path / "a"), card_of(tmp_path / "b", depth=34, tweak="b")
    a, b = (config.load(card, "fcn_ade20k", tmp_path).to_dict() for card in cards)
    assert a["model"].pop("backbone") != b["model"].pop("backbone")
    assert a == b


def test_without_a_card_the_slot_stays_empty() -> None:
    assert config.load(None).model.backbone == dict(output_stride=8)


def test_the_protocols_differ_only_in_the_views_that_are_scored() -> None:
    a, b = (config.load(None, protocol).to_dict() for protocol in config.PROTOCOLS)
    assert a["model"].pop("test_cfg") == dict(scales=(1.0,), flip=False)
    assert b["model"].pop("test_cfg") == dict(scales=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75), flip=True)
    assert a == b


def test_an_unknown_protocol_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="did you mean fcn_ade20k_msflip"):
        config.load(None, "fcn_ade20k_flip")


def test_features_within_the_segmenter_are_the_cards_at_stride_8(tmp_path: Path) -> None:
    card = card_of(tmp_path)
    model = build(config.load(card))
    model.init_weights()  # as the Runner does before training
    alone = ResNet(**{k: v for k, v in card.slot(output_stride=8).items() if k != "type"})
    images = torch.randn(2, 3, 64, 64)
    got, expected = model.eval().extract_feat(images), alone.eval()(images)
    assert got[3].shape == (2, 512, 8, 8)
    assert all(torch.equal(*maps) for maps in zip(got, expected, strict=True))


def test_heads_ask_the_backbone_for_channels_and_state_the_classes_once(tmp_path: Path) -> None:
    cfg = config.load(card_of(tmp_path, depth=50))
    cfg.model.decode_head.num_classes = 7
    model = build(cfg)
    assert (model.decode_head.convs[0].conv.weight.shape, model.decode_head.conv_seg.weight.shape) == (
        (512, 2048, 3, 3), (7, 512, 1, 1))  # fmt: skip
    assert (model.auxiliary_head.convs[0].conv.weight.shape, model.auxiliary_head.conv_seg.weight.shape) == (
        (256, 1024, 3, 3), (7, 256, 1, 1))  # fmt: skip


def test_the_loss_is_the_mean_over_labelled_pixels_plus_half_the_auxiliary_one(root: Path, tmp_path: Path) -> None:
    cfg = small(config.load(card_of(tmp_path), data_root=root))
    cfg.model.decode_head.dropout_ratio = cfg.model.auxiliary_head.dropout_ratio = 0
    model = build(cfg).train()
    batch = model.data_preprocessor(next(iter(Runner.build_dataloader(cfg.train_dataloader, seed=0))), training=True)
    truth = torch.cat([sample.gt_sem_seg.data for sample in batch["data_samples"]])
    losses = model(**batch, mode="loss")
    maps = model.extract_feat(batch["inputs"])
    for head, name, weight in ((model.decode_head, "decode", 1.0), (model.auxiliary_head, "aux", 0.5)):
        logits = torch.nn.functional.interpolate(head(maps), size=(48, 48), mode="bilinear", align_corners=True)
        expected = weight * torch.nn.functional.cross_entropy(logits, truth, ignore_index=255)
        torch.testing.assert_close(losses[f"{name}.loss_ce"], expected)


def test_heads_learn_ten_times_as_fast(tmp_path: Path) -> None:
    cfg = config.load(card_of(tmp_path))
    model = build(cfg)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    rates = {names[id(parameter)]: group["lr"] for group in groups for parameter in group["params"]}
    assert set(rates) == set(names.values())
    assert {lr for name, lr in rates.items() if "head." in name} == {0.01 * 10}
    assert {lr for name, lr in rates.items() if name.startswith("backbone.")} == {0.01}
    assert {group["weight_decay"] for group in groups} == {1e-4}


def test_the_rate_falls_as_a_polynomial_from_the_first_step_to_zero(root: Path, tmp_path: Path) -> None:
    cfg = small(config.load(card_of(tmp_path), data_root=root))
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
    model = build(config.load(card_of(tmp_path))).eval()
    images, meta = torch.randn(1, 3, 56, 72), [dict(ori_shape=(56, 72), img_shape=(56, 72))]
    with torch.no_grad():
        got = model.inference(images, meta)
        model.test_cfg = Config(dict(mode="whole"))
        torch.testing.assert_close(got, EncoderDecoder.inference(model, images, meta))


def test_several_views_are_averaged_by_probability_so_that_mirrored_images_score_alike(tmp_path: Path) -> None:
    model = build(config.load(card_of(tmp_path), "fcn_ade20k_msflip")).eval()
    model.test_cfg = dict(scales=(1.0, 1.5), flip=True)
    images = torch.randn(1, 3, 48, 64)
    with torch.no_grad():
        seen, mirrored = model.inference(images, []), model.inference(images.flip(3), [])
    torch.testing.assert_close(seen.sum(1), torch.ones(1, 48, 64))
    torch.testing.assert_close(seen, mirrored.flip(3), atol=1e-5, rtol=1e-4)


def test_raw_zero_is_ignored_and_class_k_becomes_k_minus_1(root: Path) -> None:
    path = root / "ADEChallengeData2016/annotations/training/0000.png"
    raw = np.asarray(Image.open(path)).astype(int)
    assert set(np.unique(raw)) == {0, 1, 2, 3}
    got = load_mask(path, raw.shape)
    np.testing.assert_array_equal(got, np.where(raw == 0, 255, raw - 1))


def test_training_crops_are_padded_with_ignored_pixels(root: Path, tmp_path: Path) -> None:
    cfg = small(config.load(card_of(tmp_path), data_root=root))
    cfg.train_dataloader.dataset.dataset.pipeline[3].scale = [(1000, 24), (1000, 24)]  # smaller than the crop
    batch = next(iter(Runner.build_dataloader(cfg.train_dataloader, seed=0)))
    for image, sample in zip(batch["inputs"], batch["data_samples"], strict=True):
        assert (image.shape, sample.gt_sem_seg.shape) == ((3, 48, 48), (48, 48))
        assert (sample.gt_sem_seg.data[0, 24:] == 255).all() and (sample.gt_sem_seg.data[0, :24] != 255).any()


def test_validation_keeps_masks_at_the_images_own_size(root: Path, tmp_path: Path) -> None:
    cfg = small(config.load(card_of(tmp_path), data_root=root))
    cfg.val_dataloader.dataset.pipeline[1].scale = (400, 96)
    batch = next(iter(Runner.build_dataloader(cfg.val_dataloader, seed=0)))
    assert batch["inputs"][0].shape == (3, 96, 144)
    assert batch["data_samples"][0].gt_sem_seg.shape == (48, 72)


def test_blur_is_opencvs_gaussian_of_at_most_the_sigma(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    monkeypatch.setattr(np.random, "random", lambda: 0.25)
    got = RandomBlur(prob=0.5, max_sigma_px=2.0)(dict(img=image))["img"]
    np.testing.assert_array_equal(got, cv2.GaussianBlur(image, (0, 0), 1.5))
    assert RandomBlur(prob=0.1, max_sigma_px=2.0)(dict(img=image))["img"] is image


def test_a_value_outside_the_classes_is_named_with_its_file(root: Path) -> None:
    path = root / "ADEChallengeData2016/annotations/training/0001.png"
    with pytest.raises(ValueError, match=r"0001\.png holds 3; known are 0 to 2"):
        load_mask(path, np.asarray(Image.open(path)).shape, num_classes=2)
    wide = np.full((4, 4), 256 + 1, np.uint16)  # a byte would hold it as 1
    cv2.imwrite(str(path), wide)
    with pytest.raises(ValueError, match=r"0001\.png holds 257"):
        load_mask(path, (4, 4))


def test_a_mask_of_another_size_than_its_image_is_named(root: Path) -> None:
    path = root / "ADEChallengeData2016/annotations/training/0001.png"
    with pytest.raises(ValueError, match=r"0001\.png is 48 x 96, its image 48 x 60"):
        load_mask(path, (48, 60))


def test_a_truncated_jpeg_is_named_and_left_out_only_if_asked(root: Path) -> None:
    image = root / "ADEChallengeData2016/images/training/0002.jpg"
    whole = image.read_bytes()
    image.write_bytes(whole + b"trailing bytes")
    assert is_whole(image) and len(dataset_of(root)) == 4
    image.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"0002\.jpg is truncated"):
        dataset_of(root)
    assert len(dataset_of(root, skip_broken=True)) == 3


def test_check_data_names_a_missing_folder_a_missing_mask_and_classes_that_differ(root: Path, tmp_path: Path) -> None:
    cfg = small(config.load(None, data_root=root))
    config.check_data(cfg)
    with pytest.raises(FileNotFoundError, match=r"elsewhere/ADE.*training; .*\{images,annotations\}"):
        config.check_data(config.load(None, data_root=tmp_path / "elsewhere"))
    cfg.model.decode_head.num_classes = 4
    with pytest.raises(ValueError, match="the data has 3 classes, the model 4"):
        config.check_data(cfg)
    (root / "ADEChallengeData2016/annotations/validation/0001.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 3 images have no mask; the first is .*validation/0001\.png"):
        config.check_data(small(config.load(None, data_root=root)))


def test_the_runner_trains_and_scores_the_config_as_it_is(root: Path, tmp_path: Path) -> None:
    cfg = small(config.load(card_of(tmp_path), data_root=root))
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
