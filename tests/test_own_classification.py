"""Photographs of the user's own for classification: what each format reads and says, what is laid out and trained."""

import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from test_data_tool_unpack import devkit

from classification.data import list_images
from classification.metric import TopK
from classification.predictions import submission
from classification.registry import MODELS
from trick_transfer.engine.files import read_arrays
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


OF_BOXES = ["train2017/1.jpg", "val2017/2.jpg", "annotations/1.png"]
SEVERAL = ["imagenet/train/ant/1.jpg", "VOCdevkit/VOC2007/JPEGImages/1.jpg"]
OF_FRAMES = ["train/1.png", "trainannot/1.png", "valannot/1.png"]
SPLIT = [f"{split}/{kind}/{i}.jpg" for split in ("train", "val") for kind in ("ant", "bee") for i in range(2)]


@pytest.mark.parametrize(
    ("train", "val"),
    [("train", "val"), ("train", "test"), ("training", "validation"), ("Train", "Valid"), ("train2", "TEST")],
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


def test_a_link_to_nothing_is_a_problem(tmp_path):
    root = pictures(tmp_path, *SPLIT)
    (root / "val/bee/gone.jpg").symlink_to("/nowhere/gone.jpg")
    assert [line for line in read(root).problems if "val/bee/gone.jpg is a link to nothing" in line]


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
        (["ant/1.jpg", "bee/1.jpg"], ["class ant has no image in val (1 in train); correct its name, ", "bee"]),
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
    for names in (
        ["ant/1.jpg", "bee/2.jpg"],
        ["n01443537/1.jpg", "n01629819/1.jpg"],
        ["0/1.jpg", "1/1.jpg"],
        ["mask/1.jpg", "no mask/1.jpg"],
    ):
        assert STAGE.recognise(pictures(tmp_path / f"flat {names[0][0]}", *names)) == "folders"
    for name in ("list.csv", "train.txt"):
        assert STAGE.recognise(listing(tmp_path / "lists", "a.jpg ant\nb.jpg bee\n", name)) == "list"
    assert STAGE.recognise(tmp_path / "lists") == "list"
    for names in (
        ["images/1.jpg"],
        ["img/ant/1.jpg", "img/bee/1.jpg"],
        ["train/1.jpg", "val/1.jpg"],
    ):  # beside its list
        root = pictures(tmp_path / f"listed-{names[0]}".replace("/", "-"), *names)
        assert STAGE.recognise(listing(root, "1.jpg ant\n", "train.csv")) == "list"
        assert STAGE.recognise(root) == "list"
    of_others = [["JPEGImages/1.jpg", "SegmentationClass/1.png"], OF_BOXES, OF_FRAMES, SEVERAL]
    for names in (["1.jpg"], ["ant/1.jpg"], *of_others):
        assert STAGE.recognise(pictures(tmp_path / names[0].replace("/", "-"), *names)) is None


def test_a_picture_is_shown_with_its_class(tmp_path):
    found = read(pictures(tmp_path, *SPLIT))
    shown = STAGE.show(found.samples[0], found.classes)
    assert shown.shape == (192, 256, 3)
    plain = cv2.resize(np.asarray(Image.open(found.samples[0].image)), (256, 192))
    changed = np.abs(shown.astype(int) - plain).max(-1) > 60
    assert changed[:24].any() and not changed[24:].any(), "letters at the top"


def test_a_classs_name_is_written_in_its_own_letters(tmp_path):
    """Letters that a font lacks look all alike."""
    sample = read(pictures(tmp_path, *SPLIT)).samples[0]
    drawn = [STAGE.show(sample, [letter]) for letter in "ÜÑЖΩ"]
    assert len({each.tobytes() for each in drawn}) == 4


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
    assert run.task.data_name(cfg) == "insects" and (run.root / "val/bee/val-bee-0.jpg").is_file()


def test_a_teacher_is_trained_on_the_same_own_data(tmp_path):
    pictures(tmp_path / "own", *SPLIT)
    student = Run("classification", "resnet50d_best", str(tier(tmp_path)))
    assert student.upstream().config().data == student.draft().data


def test_of_fewer_than_five_classes_all_are_among_the_best_five(tmp_path):
    """Of three images, the first two are given their class."""
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 0.0, 0.5]])
    metric = TopK(outputs=str(tmp_path / "outputs.npz"))
    metric.process(None, [{"logits": row, "label": label} for row, label in zip(logits, (0, 1, 2), strict=True)])
    scores = metric.compute_metrics(metric.results)
    again = STAGE.outputs(read_arrays(tmp_path / "outputs.npz")).metrics
    for found in (scores, again):
        assert found["top5"] == 100 and found["top1"] == pytest.approx(200 / 3)


def test_of_fewer_than_five_classes_a_submission_names_all(tmp_path):
    pictures(tmp_path / "own", *SPLIT)
    cfg = Run("classification", "resnet50_baseline", str(tier(tmp_path))).config()
    picture(Path(cfg.data.root) / "test" / "9.jpg")
    weights = {name: tensor.contiguous() for name, tensor in MODELS.build(cfg.model).state_dict().items()}
    save_file(weights, tmp_path / "start.safetensors")
    (line,) = submission(cfg, tmp_path / "start.safetensors")
    assert line in ("9.jpg 0 1", "9.jpg 1 0")


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


def listing(folder, text, name="list.csv", encoding="utf-8"):
    """A list of images that are there: every word of it that ends in .jpg; returns its path."""
    for image in re.findall(r"[\w/ .-]+?\.jpg", text):
        picture(folder / image.strip())
    (folder / name).write_text(text, encoding)
    return folder / name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,label\na.jpg,ant\nb/b.jpg,Ünter 5 %\n", "separated by commas, the header path, label"),
        ("a.jpg,ant\nb/b.jpg,Ünter 5 %\n", "separated by commas, no header"),
        ("a.jpg\tant\r\nb/b.jpg\tÜnter 5 %\r\n", "separated by tabs, no header"),
        ('"a.jpg", "ant"\n\n"b/b.jpg", "Ünter 5 %"', "separated by commas, no header"),
        ("\ufeffimage\tkind\na.jpg\tant\nb/b.jpg\tÜnter 5 %\n", "separated by tabs, the header image, kind"),
    ],
)
def test_a_list_is_read_whatever_separates_its_columns(tmp_path, text, said):
    found = read(listing(tmp_path, text), "list")
    assert truths(found) == {(None, "ant"): ["a.jpg"], (None, "Ünter 5 %"): ["b.jpg"]}
    assert not found.problems and any(said in line for line in found.reading)


def test_a_list_may_be_separated_by_spaces_and_name_absolute_paths(tmp_path):
    picture(tmp_path / "far" / "c.jpg")
    file = listing(tmp_path / "own", f"a.jpg ant\n{tmp_path}/own/b.jpg  bee\n", "list.txt")
    file.write_text(file.read_text() + f"{tmp_path}/far/c.jpg bee\n../far/d.jpg ant")
    picture(tmp_path / "far" / "d.jpg")
    found = read(file, "list")
    assert truths(found) == {(None, "ant"): ["a.jpg", "d.jpg"], (None, "bee"): ["b.jpg", "c.jpg"]}
    assert [sample.name for sample in found.samples][:2] == ["a.jpg", "b.jpg"], "wherever the folder is"


def test_a_lists_third_column_is_the_split_if_it_names_one(tmp_path):
    text = "1.jpg,ant,train\n2.jpg,ant,Test\n3.jpg,bee,training\n4.jpg,bee,test\n5.jpg,bee,\n"
    found = read(listing(tmp_path, text), "list")
    assert [sample.split for sample in found.samples] == ["train", "val", "train", "val", None]
    both = read(listing(tmp_path, text + "6.jpg,ant,val\n", "both.csv"), "list")
    assert [sample.name for sample in both.samples if sample.split == "val"] == ["6.jpg"], "as of folders val and test"
    assert any("the third column is the split; 2 lines of test are left out" in line for line in both.reading)
    coarse = read(listing(tmp_path, "1.jpg,ant,0\n2.jpg,bee,1\n", "coarse.csv"), "list")
    assert [sample.split for sample in coarse.samples] == [None, None]
    assert any("third column and what follows is left out" in line for line in coarse.reading)


@pytest.mark.parametrize(
    "text",
    [
        "Label;Split;Filename\nant;train;a.jpg\nbee;test;b/b.jpg\n",
        ",image_path,class,set\n0,a.jpg,ant,train\n1,b/b.jpg,bee,val\n",
    ],
)
def test_columns_that_a_header_names_may_stand_in_any_order(tmp_path, text):
    found = read(listing(tmp_path, text), "list")
    assert truths(found) == {("train", "ant"): ["a.jpg"], ("val", "bee"): ["b.jpg"]} and not found.problems


def test_a_list_that_was_written_on_windows_is_read(tmp_path):
    picture(tmp_path / "b/b.jpg")
    (tmp_path / "list.csv").write_text("file;label\r\nb\\b.jpg;bee\r\n")
    found = read(tmp_path / "list.csv", "list")
    assert truths(found) == {(None, "bee"): ["b.jpg"]} and found.samples[0].name == "b/b.jpg"


def test_a_split_inside_the_classes_is_a_problem(tmp_path):
    found = read(
        pictures(tmp_path, *(f"{kind}/{split}/1.jpg" for kind in ("ant", "bee") for split in ("train", "test")))
    )
    (line,) = found.problems
    assert "has its split inside the classes (ant/test, ant/train, bee/test, bee/train); make it train/CLASS" in line


def test_a_folder_of_lists_has_their_split(tmp_path):
    listing(tmp_path / "own", "a/1.jpg ant\na/2.jpg bee\n", "train.txt")
    listing(tmp_path / "own", "b/1.jpg ant\nb/2.jpg bee\n", "val.txt")
    listing(tmp_path / "own", "", "test.txt")
    found = read(tmp_path / "own", "list")
    assert truths(found) == {
        ("train", "ant"): ["1.jpg"],
        ("train", "bee"): ["2.jpg"],
        ("val", "ant"): ["1.jpg"],
        ("val", "bee"): ["2.jpg"],
    }
    assert "left out beside them: test.txt" in found.reading and not found.problems
    root = laid_out(tmp_path / "own", "list")
    assert [len(list_images(root, split)[1]) for split in ("train", "val")] == [2, 2]


def test_options_override_what_is_guessed_of_a_list(tmp_path):
    file = listing(tmp_path, "a.jpg;ant\nb.jpg;bee\n")
    with pytest.raises(ValueError, match=r"separator must be .*','.*got '\|'"):
        read(file, "list", separator="|")
    headed = read(listing(tmp_path, "1.jpg,ant\n2.jpg,ant\n3.jpg,bee\n"), "list", header=True)
    assert len(headed.samples) == 2
    picture(tmp_path / "pictures/a.jpg")
    picture(tmp_path / "pictures/b.jpg")
    (tmp_path / "moved.csv").write_text("a.jpg,ant\nb.jpg,bee\n")
    assert len(read(tmp_path / "moved.csv", "list", images="pictures").samples) == 2


def test_a_labels_slash_is_no_folder(tmp_path):
    file = listing(tmp_path / "own", "".join(f"{i}.jpg,{('a/c', '..', 'ü')[i % 3]}\n" for i in range(60)))
    root = laid_out(file, "list")
    for split in ("train", "val"):
        classes, files, _ = list_images(root, split)
        assert len(classes) == 3 and {path.name for path in (root / split).iterdir()} == set(classes)
    assert len(list(root.rglob("*.jpg"))) == 60
    assert json.loads(Path("data/own.json").read_text())["classes"] == ["..", "a/c", "ü"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("none.png,ant,train", ["none.png does not exist"]),
        ("1.jpg,", ["1.jpg has no label", "path label"]),
        ("1.jpg", ["1.jpg has no label"]),
        ("1.jpg,ant,trian", ["'trian' is no split", "train"]),
        ("1.jpg,ant,train", ["1.jpg is in", "line 1 already"]),
    ],
)
def test_a_list_problem_names_the_line(tmp_path, line, said):
    good = "1.jpg,ant,train\n2.jpg,bee,train\n3.jpg,ant,val\n4.jpg,bee,val\n"
    file = listing(tmp_path, f"{good}\n{line}\n")
    found = read(file, "list")
    assert len(found.problems) == 1 and f"{file}, line 6" in found.problems[0]
    for words in said:
        assert words in found.problems[0]
    assert len(found.samples) == 4


def test_a_list_that_is_no_text_is_named(tmp_path):
    file = listing(tmp_path, "a.jpg,Ünter\n", encoding="latin-1")
    with pytest.raises(ValueError, match=r"list\.csv is not UTF-8"):
        read(file, "list")
    with pytest.raises(FileNotFoundError, match=r"train\.txt"):
        read(pictures(tmp_path / "none", "ant/1.jpg"), "list")


def test_tiny_imagenet_is_read_as_published(tmp_path):
    names = [f"train/n0{kind}/images/n0{kind}_{i}.JPEG" for kind in (1, 2) for i in range(3)]
    root = pictures(tmp_path, *names, *(f"val/images/val_{i}.JPEG" for i in range(3)), "test/images/test_0.JPEG")
    rows = [("val_0.JPEG", "n02"), ("val_1.JPEG", "n01"), ("val_2.JPEG", "n02")]
    annotations = root / "val/val_annotations.txt"
    annotations.write_text("".join(f"{name}\t{wnid}\t0\t32\t44\t62\n" for name, wnid in rows))
    (root / "train/n01/n01_boxes.txt").write_text("n01_0.JPEG\t0\t10\t63\t58\n")
    assert STAGE.recognise(root) == "tiny_imagenet"
    found = read(root, "tiny_imagenet")
    assert not found.problems and found.classes == ("n01", "n02")
    assert truths(found)["val", "n02"] == ["val_0.JPEG", "val_2.JPEG"]
    assert len(truths(found)["train", "n01"]) == 3 and len(found.samples) == 9
    assert any("left out beside train and val: test" in line for line in found.reading)
    annotations.write_text("val_0.JPEG\tn02\nval_1.JPEG\tn01\nval_7.JPEG\tn01\n")
    wrong = read(root, "tiny_imagenet").problems
    assert len(wrong) == 2 and "val_7.JPEG" in wrong[0] and "val_2.JPEG has no class" in wrong[1]


@pytest.mark.parametrize("listed", [True, False])
def test_imagenets_flat_val_is_read_with_its_development_kit_or_a_list(tmp_path, listed):
    """Images 1 and 3 are of the kit's class 2, the tench; image 2 is a fox."""
    fox, tench = "n02119789", "n01440764"
    val = [f"ILSVRC2012_val_0000000{i}.JPEG" for i in (1, 2, 3)]
    root = pictures(
        tmp_path, *(f"train/{wnid}/{wnid}_1.JPEG" for wnid in (fox, tench)), *(f"val/{name}" for name in val)
    )
    if listed:
        (root / "val.txt").write_text(
            "".join(f"{name} {wnid}\n" for name, wnid in zip(val, (tench, fox, tench), strict=True))
        )
        options = dict(truth="val.txt")
    else:
        with tarfile.open(devkit(tmp_path / "devkit.tar.gz")) as archive:
            archive.extractall(root, filter="data")
        options = {}
        assert STAGE.recognise(root) == "imagenet_val"
    found = read(root, "imagenet_val", **options)
    assert not found.problems
    assert truths(found) == {
        ("train", fox): [f"{fox}_1.JPEG"],
        ("train", tench): [f"{tench}_1.JPEG"],
        ("val", tench): [val[0], val[2]],
        ("val", fox): [val[1]],
    }


def test_an_imagenet_without_the_classes_of_its_val_is_named(tmp_path):
    root = pictures(tmp_path, "train/ant/1.jpg", "val/1.jpg")
    with pytest.raises(FileNotFoundError, match=r"ILSVRC2012_validation_ground_truth\.txt.* truth="):
        read(root, "imagenet_val")
    for name in ("ILSVRC2012_validation_ground_truth.txt", "meta.mat"):
        (root / name).write_text("1\n")
    with pytest.raises(ValueError, match="are not those of ImageNet"):
        read(root, "imagenet_val")
