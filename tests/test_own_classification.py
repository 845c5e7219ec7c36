"""Photographs of the user's own for classification: what each format reads and says, what is laid out and trained."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from classification.data import list_images
from trick_transfer.own_data.prepare import prepared
from trick_transfer.own_data.source import Source
from trick_transfer.runs.run import Run
from trick_transfer.stages import STAGES

STAGE = STAGES["classification"]
TRAIN = Path(__file__).parents[1] / "tools" / "train.py"


def picture(path, seed=None):
    """A small picture of its own: two colours, by the path unless a seed is given."""
    random = np.random.default_rng(list(str(path).encode()) if seed is None else seed)
    small = random.integers(0, 256, (6, 8, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(small).resize((32, 24), Image.Resampling.BICUBIC).save(path)


def pictures(root, *names):
    for name in names:
        picture(root / name)
    return root


def read(folder, form="folders", **options):
    return STAGE.formats[form](folder, **options)


def truths(found):
    """{(split, class's name): file names}, of the samples."""
    table = {}
    for sample in found.samples:
        table.setdefault((sample.split, found.classes[sample.truth]), []).append(sample.image.name)
    return {key: sorted(names) for key, names in table.items()}


def source(folder, form="folders", **options):
    return Source.of(STAGE, dict(folder=str(folder), format=form) | options, "test", Path())


def laid_out(folder, form="folders", **options):
    """The folder in which training finds what was laid out."""
    prepared(STAGE, source(folder, form, **options), Path("data/own"))
    return Path("data/own")


SPLIT = [f"{split}/{kind}/{i}.jpg" for split in ("train", "val") for kind in ("ant", "bee") for i in range(2)]


@pytest.mark.parametrize(
    ("train", "val"), [("train", "val"), ("train", "test"), ("training", "validation"), ("Train", "Valid")]
)
def test_class_folders_are_read_in_the_splits_that_their_folders_name(tmp_path, train, val):
    root = pictures(tmp_path / "own", *(name.replace("train", train).replace("val", val) for name in SPLIT))
    found = read(root)
    two = ["0.jpg", "1.jpg"]
    assert truths(found) == {(split, kind): two for split in ("train", "val") for kind in ("ant", "bee")}
    assert found.classes == ("ant", "bee") and not found.problems
    assert f"train: class folders in {root / train}" in found.reading
    assert f"val: class folders in {root / val}" in found.reading


def test_of_several_names_of_a_split_one_is_taken_and_the_others_are_told(tmp_path):
    root = pictures(tmp_path, *SPLIT, "test/ant/9.jpg")
    found = read(root)
    assert len(found.samples) == 8 and "left out beside them: test" in found.reading
    assert truths(read(root, val="test"))["val", "ant"] == ["9.jpg"]


@pytest.mark.parametrize("under", ["", "train/"])
def test_one_level_of_class_folders_has_no_split(tmp_path, under):
    found = read(pictures(tmp_path, f"{under}ant/1.jpg", f"{under}bee/2.jpg"))
    assert truths(found) == {(None, "ant"): ["1.jpg"], (None, "bee"): ["2.jpg"]}


def test_a_class_may_be_called_train(tmp_path):
    names = ["car/1.jpg", "train/2.jpg"]
    assert read(pictures(tmp_path / "flat", *names)).classes == ("car", "train")
    deeper = pictures(tmp_path / "deep", *names, "train/intercity/3.jpg")
    assert truths(read(deeper, train=".")) == {(None, "car"): ["1.jpg"], (None, "train"): ["2.jpg", "3.jpg"]}


def test_what_is_not_read_is_counted_and_told(tmp_path):
    root = pictures(tmp_path, *SPLIT, "train/ant/deep/er/3.JPEG", "train/loose.png", "train/ant/.hidden.jpg")
    (root / ".cache").mkdir()
    for name in ("a.webp", "b.webp", "c.TIF"):
        (root / "train/ant" / name).write_bytes(b"")
    found = read(root)
    assert truths(found)["train", "ant"] == ["0.jpg", "1.jpg", "3.JPEG"]
    told = "\n".join(found.reading)
    assert "1 images lie in folders of class folders" in told and "1 images lie in no class folder" in told
    assert "2 .webp, 1 .TIF" in told and "hidden" not in told and "cache" not in told


def test_classes_can_be_chosen_and_ordered(tmp_path):
    root = pictures(tmp_path, "ant/1.jpg", "bee/2.jpg", "cat/3.jpg")
    found = read(root, classes=["cat", "ant"])
    assert found.classes == ("cat", "ant") and len(found.samples) == 2
    assert any("1 classes are left out" in line and "bee" in line for line in found.reading)
    assert any("'cta'" in line and "'cat'" in line for line in read(root, classes=["cta", "ant"]).problems)
    with pytest.raises(ValueError, match="classes must be a list"):
        read(root, classes="cat")


def test_what_is_laid_out_is_read_as_it_was_found(tmp_path):
    """Two files that differ in their suffix alone, a chosen order, names that no folder can have: none is lost."""
    root = pictures(tmp_path / "own", *SPLIT, "train/bee/0.png", "val/bee/deep/1.jpg")
    found = read(root, classes=["bee", "ant"])
    root = laid_out(root, classes=["bee", "ant"])
    for split in ("train", "val"):
        classes, files, labels = list_images(root, split)
        assert [name.split()[-1] for name in classes] == ["bee", "ant"]
        expected = sorted((str(sample.image.resolve()), sample.truth) for sample in found.of(split))
        assert sorted((str(Path(file).resolve()), label) for file, label in zip(files, labels, strict=True)) == expected
        assert all(Path(file).readlink().is_absolute() for file in files)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["ant/1.jpg"], ["at least 2 classes", "ant"]),
        (["train/ant/1.jpg", "train/bee/2.jpg", "val/ant/3.jpg"], ["class bee has no image in val (1 in train)"]),
        (["train/ant/1.jpg", "val/ant/2.jpg", "val/bee/3.jpg"], ["class bee has no image in train (1 in val)"]),
        (["train/ant/1.jpg", "val/ant/2.jpg", "train/bee/", "val/bee/"], ["class bee has no image;"]),
        (["ant/1.jpg", "bee/1.jpg"], ["class ant has no image in val (1 in train); give it more images", "bee"]),
    ],
)
def test_classes_that_cannot_be_learnt_or_scored_are_named_before_anything_is_laid_out(tmp_path, names, said):
    root = pictures(tmp_path / "own", *(name for name in names if name[-1] != "/"))
    for name in names:
        (root / name if name[-1] == "/" else root).mkdir(exist_ok=True)
    with pytest.raises(ValueError) as error:
        laid_out(root)
    for words in said:
        assert words in str(error.value)
    assert not list(Path("data").glob("own*"))


@pytest.mark.parametrize(("option", "value"), [("train", "there"), ("val", "there")])
def test_a_split_that_is_not_there_is_named(tmp_path, option, value):
    with pytest.raises(FileNotFoundError, match=f"/there .*{option}"):
        read(pictures(tmp_path, *SPLIT), **{option: value})


def test_a_folder_is_recognised_by_its_names(tmp_path):
    assert STAGE.recognise(pictures(tmp_path / "split", *SPLIT)) == "folders"
    assert STAGE.recognise(pictures(tmp_path / "flat", "ant/1.jpg", "bee/2.jpg")) == "folders"
    for names in (["1.jpg"], ["ant/1.jpg"], ["JPEGImages/1.jpg", "SegmentationClass/1.png"]):
        assert STAGE.recognise(pictures(tmp_path / names[0].replace("/", "-"), *names)) is None


def test_a_picture_is_shown_with_its_class(tmp_path):
    found = read(pictures(tmp_path, *SPLIT))
    shown = STAGE.show(found.samples[0], found.classes)
    assert shown.shape == (192, 256, 3)
    plain = cv2.resize(np.asarray(Image.open(found.samples[0].image)), (256, 192))
    changed = np.abs(shown.astype(int) - plain).max(-1) > 60
    assert changed[:24].any() and not changed[24:].any(), "letters at the top"


def tier(folder, **stated):
    """A tier file of own data beside it, in the smoke tier's sizes; returns its path."""
    path = folder / "insects.py"
    stated = dict(folder="own", format="folders") | stated
    path.write_text(f'base = "smoke"\nclassification = dict(source={stated!r})\n')
    return path


def test_a_run_on_own_data_has_their_classes_and_counts(tmp_path):
    pictures(tmp_path / "own", *SPLIT, "train/ant/7.jpg")
    run = Run("classification", "resnet50_baseline", str(tier(tmp_path)))
    cfg = run.config()
    assert cfg.model.num_classes == 2
    assert (cfg.data.name, cfg.data.num_train, cfg.data.num_val) == ("insects", 5, 4)
    assert run.task.protocol_name(cfg) == "insects" and (run.root / "val/bee/val-bee-0.jpg").is_file()


def test_a_teacher_is_trained_on_the_same_own_data(tmp_path):
    pictures(tmp_path / "own", *SPLIT)
    student = Run("classification", "resnet50d_best", str(tier(tmp_path)))
    assert student.upstream().config().data == student.draft().data


@pytest.mark.slow
def test_a_folder_of_three_classes_without_a_split_is_trained_and_scored(tmp_path):
    """Its top-5 is 100 %, as three classes are among the best five."""
    root = pictures(tmp_path / "own", *(f"{kind}/{i}.jpg" for kind in ("ant", "bee", "Ünter 5 %") for i in range(30)))
    words = ["classification", "resnet50_baseline", "--tier", str(tier(tmp_path)), "--set", "model.backbone.depth=18"]
    done = subprocess.run([sys.executable, TRAIN, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "20 % by the hash of each image's name" in done.stdout
    metrics = next(Path("work").rglob("metrics.json"))
    result = json.loads(metrics.read_text())
    assert result["metrics"]["top5"] == 100 and 0 <= result["metrics"]["top1"] <= 100
    assert root.is_dir()
