"""Class folders: what is read, and what is said of files and folders that are not as they should be."""

import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from exif import orient
from PIL import Image, ImageOps
from torchvision.datasets.folder import default_loader

from classification.config import check_data, load
from classification.data import ImageFolder, list_images
from trick_transfer.engine.images import decode, displayed_px, stored_px

CENTER = dict(type="center", size_px=32, shorter_px=36)


def folder(root, split="train", **options):
    return ImageFolder(str(root), split, **dict(num_classes=10, crop=CENTER) | options)


@pytest.fixture
def broken(photos, tmp_path):
    """A copy whose first file of each split is truncated; returns the root and the two paths."""
    root = shutil.copytree(photos, tmp_path / "broken")
    files = [sorted((root / split / "class0").iterdir())[0] for split in ("train", "val")]
    for path in files:
        path.write_bytes(path.read_bytes()[:-200])
    return root, *map(str, files)


def test_samples_are_rgb_arrays_and_labels_in_the_order_of_the_folders(photos):
    data = folder(photos)
    assert len(data) == 20 and data.metainfo["classes"] == [f"class{i}" for i in range(10)]
    assert [data[i]["labels"] for i in range(20)] == [i // 2 for i in range(20)]
    assert data[0]["inputs"].shape == (32, 32, 3) and data[0]["inputs"].dtype == np.uint8


def test_a_jpeg_is_decoded_as_pillow_does(photos):
    path = list_images(photos, "train")[1][0]
    np.testing.assert_allclose(decode(path).astype(int), np.asarray(Image.open(path)), atol=2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_read_as_stored_whatever_exif_says(photos, tmp_path, orientation):
    """As torchvision's ImageFolder reads it; `turned` is as Pillow shows it."""
    path = Path(shutil.copy(next(photos.rglob("*.jpg")), tmp_path))
    orient(path, orientation)
    np.testing.assert_allclose(decode(path).astype(int), np.asarray(default_loader(path)), atol=2)
    shown = ImageOps.exif_transpose(Image.open(path))
    np.testing.assert_allclose(decode(path, turned=True).astype(int), np.asarray(shown), atol=2)
    assert (stored_px(path), displayed_px(path)) == (Image.open(path).size, shown.size)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
def test_images_of_other_modes_become_rgb(tmp_path, mode):
    Image.new("RGB", (8, 6), (200, 30, 60)).convert(mode).save(tmp_path / "image.png")
    expected = np.asarray(Image.open(tmp_path / "image.png").convert("RGB"))
    np.testing.assert_allclose(decode(str(tmp_path / "image.png")).astype(int), expected, atol=2)


def test_half_of_the_images_are_flipped(photos):
    plain, flipping = folder(photos)[0]["inputs"], folder(photos, flip=0.5)
    np.random.seed(0)
    found = [flipping.transform(decode(flipping.files[0])) for _ in range(400)]
    mirrored = np.mean([np.array_equal(each, plain[:, ::-1]) for each in found])
    assert mirrored == pytest.approx(0.5, abs=0.08)
    assert mirrored + np.mean([np.array_equal(each, plain) for each in found]) == 1


def test_a_truncated_jpeg_ends_the_run(broken):
    root, first, _ = broken
    with pytest.raises(ValueError, match=f"{re.escape(first)} .*skip_broken=True"):
        folder(root)[0]


def test_with_skip_broken_a_truncated_jpeg_is_reported_and_replaced(broken):
    root, train, val = broken
    with pytest.warns(UserWarning, match=re.escape(train)):
        replacement = folder(root, skip_broken=True)[0]
    np.testing.assert_array_equal(replacement["inputs"], folder(root)[1]["inputs"])
    with pytest.warns(UserWarning, match=re.escape(val)):
        assert folder(root, "val", skip_broken=True)[0]["labels"] == -1  # which the metric leaves out and counts
    with pytest.warns(UserWarning, match=re.escape(train)):
        assert folder(root, skip_broken=True, scored=True)[0]["labels"] == -1  # held out, or probed
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert folder(root, skip_broken=True)[1]["labels"] == 0


@pytest.mark.parametrize("content", [b"", b"not an image"])
def test_a_file_that_is_not_an_image_is_an_error_with_its_name(tmp_path, content):
    path = tmp_path / "image.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{re.escape(str(path))} .*skip_broken=True"):
        decode(str(path))


def test_a_missing_folder_is_named_with_the_layout(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"/train .*/train/<class>/\*\.jpg"):
        folder(tmp_path)


def test_an_empty_folder_is_named_with_the_layout(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(FileNotFoundError, match=r"/train .*/train/<class>/\*\.jpg"):
        folder(tmp_path)


def test_an_empty_class_folder_is_named(photos, tmp_path):
    root = shutil.copytree(photos, tmp_path / "copy")
    for path in (root / "train" / "class3").iterdir():
        path.rename(path.with_suffix(".txt"))
    with pytest.raises(FileNotFoundError, match="train/class3 .*/train/<class>/"):
        folder(root)


def test_another_number_of_classes_is_refused(photos):
    with pytest.raises(ValueError, match="/train .*10 .*1000"):
        folder(photos, num_classes=1000)


def test_data_that_differ_from_the_recipe_are_refused_before_training(photos):
    cfg = load("resnet50_baseline")
    cfg.data.root, cfg.model.num_classes = str(photos), 10
    with pytest.raises(ValueError, match="/train .*20 .*10 .*imagenet1k .*1281167 in 10"):
        check_data(cfg)
    cfg.data.num_train = 20
    with pytest.raises(ValueError, match=r"/val .*--set data\.num_train=20 data\.num_val=11 model\.num_classes=10"):
        check_data(cfg)
    cfg.data.num_val = 11
    check_data(cfg)


def test_training_and_validation_must_have_the_same_classes(photos, tmp_path):
    root = shutil.copytree(photos, tmp_path / "copy")
    (root / "val" / "class9").rename(root / "val" / "klass9")
    cfg = load("resnet50_baseline")
    cfg.data.update(root=str(root), num_train=20, num_val=11)
    cfg.model.num_classes = 10
    with pytest.raises(ValueError, match="/train .*val .*class9, klass9$"):
        check_data(cfg)
