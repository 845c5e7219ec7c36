"""What the segmentation stage reads, and what it refuses."""

from pathlib import Path

import cv2
import numpy as np
import protocols
import pytest
from exif import orient
from mmengine.config import Config
from mmengine.registry import TRANSFORMS, init_default_scope
from mmengine.runner import Runner
from PIL import Image
from toy_ade20k import CLASSES, card_of, make, small

from segmentation.data import ADE20K, LoadMask, RandomBlur
from segmentation.layout import Ade
from segmentation.masks import Ids
from segmentation.stage import SEGMENTATION
from trick_transfer.engine.images import is_whole
from trick_transfer.engine.values import override


@pytest.fixture
def root(tmp_path: Path) -> Path:
    init_default_scope("mmseg")
    return make(tmp_path / "ade")


def dataset_of(root: Path, split: str = "training", **options: object) -> ADE20K:
    prefix = {
        k: f"ADEChallengeData2016/{v}/{split}" for k, v in (("img_path", "images"), ("seg_map_path", "annotations"))
    }
    return ADE20K(data_root=str(root), data_prefix=prefix, metainfo=dict(classes=CLASSES), **options)


def load_mask(mask: Path, shape: tuple[int, int], num_classes: int = 3, **reading: int | None) -> np.ndarray:
    about = dict(seg_map_path=str(mask), ori_shape=shape, num_classes=num_classes, ids=Ids.of(reading), seg_fields=[])
    return LoadMask()(about)["gt_seg_map"]


def test_raw_zero_is_ignored_and_class_k_becomes_k_minus_1(root: Path) -> None:
    path = root / "ADEChallengeData2016/annotations/training/0000.png"
    raw = np.asarray(Image.open(path)).astype(int)
    assert set(np.unique(raw)) == {0, 1, 2, 3}
    got = load_mask(path, raw.shape)
    np.testing.assert_array_equal(got, np.where(raw == 0, 255, raw - 1))


@pytest.mark.parametrize(
    ("reading", "classes"),
    [
        (dict(first_class=0), {0: 0, 1: 1, 2: 2, 3: 3}),  # CamVid's, without void
        (dict(first_class=0, ignore=3), {0: 0, 1: 1, 2: 2, 3: 255}),
        (dict(first_class=1, ignore=3), {1: 0, 2: 1, 3: 255}),
        (dict(first_class=0, ignore=255), {0: 0, 1: 1, 255: 255}),
        (dict(ignore=255), {1: 0, 2: 1, 255: 255}),
    ],
)
def test_data_of_ones_own_say_which_value_is_which_class(tmp_path: Path, reading: dict, classes: dict) -> None:
    raw = np.array([list(classes)], np.uint8)
    Image.fromarray(raw).save(tmp_path / "mask.png")
    got = load_mask(tmp_path / "mask.png", raw.shape, 4 if len(classes) == 4 and len(reading) == 1 else 3, **reading)
    assert got.tolist() == [list(classes.values())]


@pytest.mark.parametrize(
    ("reading", "raw", "named"),
    [
        (dict(first_class=0, ignore=255), 3, "holds 3; expected 0 to 2 or 255"),
        (dict(ignore=255), 0, "holds 0; expected 1 to 3 or 255"),
        (dict(first_class=0), 255, "holds 255; expected 0 to 2"),
    ],
)
def test_a_value_that_is_neither_a_class_nor_none_is_named(tmp_path: Path, reading: dict, raw: int, named: str) -> None:
    Image.fromarray(np.full((2, 2), raw, np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(ValueError, match=rf"mask\.png {named}"):
        load_mask(tmp_path / "mask.png", (2, 2), **reading)


@pytest.mark.parametrize("reading", [dict(first_class=2), dict(ignore="void"), dict(ignore=-1), dict(ignore=256)])
def test_a_reading_that_no_mask_can_have_is_refused(reading: dict) -> None:
    with pytest.raises(ValueError, match="first_class must be 0 or 1 and ignore 0 to 255 or None"):
        Ids.of(reading)


def test_a_value_that_is_a_class_cannot_mean_none(root: Path) -> None:
    SEGMENTATION.check_data(own(root, first_class=0, ignore=3))
    with pytest.raises(ValueError, match="ignore=2 is the value of a class, too: the 3 classes .* have 0 to 2"):
        SEGMENTATION.check_data(own(root, first_class=0, ignore=2))


def test_a_setting_says_how_masks_are_read(root: Path) -> None:
    cfg = own(root)
    override(cfg, {"val_dataloader.dataset": {"first_class": 0, "ignore": 3}})
    assert Ids.of(cfg.val_dataloader.dataset) == (0, 3)


def own(root: Path, **reading: int | None) -> Config:
    """The protocol for a folder of masks as CamVid has them: 0 is a class, 3 is none."""
    cfg = small(protocols.load(None, "fcn_ade20k", root))
    for dataset in (cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset):
        dataset.update(reading)
    return cfg


def test_masks_of_unknown_classes_are_refused_with_what_they_hold_and_the_settings(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(
        ValueError, match=r"annotations/training hold 0, 1, 2, 3: .*'first_class': .*'ignore': "
    ) as error:
        SEGMENTATION.check_own_data(own(root), ())
    assert "\n" not in str(error.value)
    SEGMENTATION.check_own_data(own(root, first_class=0, ignore=3), ())
    SEGMENTATION.check_own_data(own(root), (Ade("training", 4, 3, CLASSES),))  # a known data set's
    assert "masks are read as ADE20K's: 0 is ignored" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"0000\.png holds 3; .*0001\.png .*0002\.png .*\(and 1 more\); correct"):
        SEGMENTATION.check_own_data(own(root, first_class=0), ())


@pytest.mark.parametrize("suffix", [".JPG", ".jpeg", ".png"])
def test_images_of_any_suffix_are_read_and_two_of_one_name_refused(root: Path, suffix: str) -> None:
    image = root / "ADEChallengeData2016/images/training/0002.jpg"
    other = image.with_suffix(suffix)
    Image.open(image).save(other)
    with pytest.raises(ValueError, match=r"0002\..*0002\.[a-zA-Z]+ have one name"):
        dataset_of(root)
    image.unlink()
    assert {Path(dataset_of(root).get_data_info(i)["img_path"]).name for i in range(4)} == {
        "0000.jpg", "0001.jpg", other.name, "0003.jpg"
    }  # fmt: skip


def test_training_crops_are_padded_with_ignored_pixels(root: Path, tmp_path: Path) -> None:
    cfg = small(protocols.load(card_of(tmp_path), "fcn_ade20k", root))
    cfg.train_dataloader.dataset.dataset.pipeline[3].scale = [(1000, 24), (1000, 24)]  # smaller than the crop
    batch = next(iter(Runner.build_dataloader(cfg.train_dataloader, seed=0)))
    for image, sample in zip(batch["inputs"], batch["data_samples"], strict=True):
        assert (image.shape, sample.gt_sem_seg.shape) == ((3, 48, 48), (48, 48))
        assert (sample.gt_sem_seg.data[0, 24:] == 255).all() and (sample.gt_sem_seg.data[0, :24] != 255).any()


def test_validation_keeps_masks_at_the_images_own_size(root: Path, tmp_path: Path) -> None:
    cfg = small(protocols.load(card_of(tmp_path), "fcn_ade20k", root))
    cfg.val_dataloader.dataset.pipeline[1].scale = (400, 96)
    batch = next(iter(Runner.build_dataloader(cfg.val_dataloader, seed=0)))
    assert batch["inputs"][0].shape == (3, 96, 144)
    assert batch["data_samples"][0].gt_sem_seg.shape == (48, 72)


def test_image_and_mask_are_both_as_stored_whatever_exif_says(root: Path, tmp_path: Path) -> None:
    cfg = small(protocols.load(card_of(tmp_path), "fcn_ade20k", root))
    steps = (cfg.train_dataloader.dataset.dataset.pipeline, cfg.val_dataloader.dataset.pipeline)
    path = root / "ADEChallengeData2016/images/training/0001.jpg"
    stored = np.asarray(orient(path, 6))
    for pipeline in steps:
        found = TRANSFORMS.build(pipeline[0])(dict(img_path=str(path)))
        np.testing.assert_allclose(found["img"][..., ::-1].astype(int), stored, atol=3)
        assert load_mask(root / "ADEChallengeData2016/annotations/training/0001.png", found["ori_shape"]).shape == (
            48,
            96,
        )


def test_blur_is_opencvs_gaussian_of_at_most_the_sigma(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    monkeypatch.setattr(np.random, "random", lambda: 0.25)
    got = RandomBlur(prob=0.5, max_sigma_px=2.0)(dict(img=image))["img"]
    np.testing.assert_array_equal(got, cv2.GaussianBlur(image, (0, 0), 1.5))
    assert RandomBlur(prob=0.1, max_sigma_px=2.0)(dict(img=image))["img"] is image


def test_a_value_outside_the_classes_is_named_with_its_file(root: Path) -> None:
    path = root / "ADEChallengeData2016/annotations/training/0001.png"
    with pytest.raises(ValueError, match=r"0001\.png .*3.*0 to 2"):
        load_mask(path, np.asarray(Image.open(path)).shape, num_classes=2)
    wide = np.full((4, 4), 256 + 1, np.uint16)  # a byte would hold it as 1
    cv2.imwrite(str(path), wide)
    with pytest.raises(ValueError, match=r"0001\.png .*257"):
        load_mask(path, (4, 4))


def test_a_mask_of_another_size_than_its_image_is_named(root: Path) -> None:
    path = root / "ADEChallengeData2016/annotations/training/0001.png"
    with pytest.raises(ValueError, match=r"0001\.png .*48 x 96.*48 x 60"):
        load_mask(path, (48, 60))


def test_a_truncated_jpeg_is_named_and_left_out_only_if_asked(root: Path) -> None:
    image = root / "ADEChallengeData2016/images/training/0002.jpg"
    whole = image.read_bytes()
    image.write_bytes(whole + b"trailing bytes")
    assert is_whole(image) and len(dataset_of(root)) == 4
    image.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"0002\.jpg .*skip_broken=True"):
        dataset_of(root)
    assert len(dataset_of(root, skip_broken=True)) == 3


def test_a_file_that_only_ends_like_a_jpeg_is_named_too(root: Path) -> None:
    image = root / "ADEChallengeData2016/images/training/0002.jpg"
    image.write_bytes(b"no image at all\xff\xd9")
    with pytest.raises(ValueError, match=r"0002\.jpg .*skip_broken=True"):
        dataset_of(root)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_truncated_mask_is_named(root: Path, share: float) -> None:
    path = root / "ADEChallengeData2016/annotations/training/0001.png"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"0001\.png"):
        load_mask(path, (48, 96))


def test_check_data_names_a_missing_folder_a_missing_mask_and_classes_that_differ(root: Path, tmp_path: Path) -> None:
    cfg = small(protocols.load(None, "fcn_ade20k", root))
    SEGMENTATION.check_data(cfg)
    with pytest.raises(FileNotFoundError, match=r"elsewhere/ADE.*training; .*\{images,annotations\}"):
        SEGMENTATION.check_data(protocols.load(None, "fcn_ade20k", tmp_path / "elsewhere"))
    cfg.model.decode_head.num_classes = 4
    with pytest.raises(ValueError, match="3 classes.* 4"):
        SEGMENTATION.check_data(cfg)
    (root / "ADEChallengeData2016/annotations/validation/0001.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 3 .*validation/0001\.png"):
        SEGMENTATION.check_data(small(protocols.load(None, "fcn_ade20k", root)))
