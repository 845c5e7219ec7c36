"""Own images and masks: each format read, laid out as training reads it, and what is guessed or refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backbones.card import write_card
from backbones.resnet import ResNet
from segmentation.class_list import read_classes
from segmentation.formats import FORMATS, recognise
from segmentation.masks import Ids
from segmentation.stage import SEGMENTATION
from trick_transfer.data_sets.check import check
from trick_transfer.data_sets.sources import DataSet, Part
from trick_transfer.engine.layers import changed_keys
from trick_transfer.engine.pictures import name_areas
from trick_transfer.runs.own_tier import sources_in
from trick_transfer.runs.run import Run

TRAIN = str(Path(__file__).parents[1] / "tools" / "train.py")
HEIGHT, WIDTH = 8, 12
NAMES = ["cat", "dog", "grass"]
COLOURS = {"cat": (255, 0, 0), "dog": (0, 128, 0), "void": (0, 0, 0)}


def mask_of(*values: int, dtype: type = np.uint8) -> np.ndarray:
    """Stripes of values, one after another, every one there."""
    return np.resize(np.array(values, dtype), (WIDTH, HEIGHT)).T.copy()


def write(path: Path, pixels: np.ndarray, mode: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if mode == "P":  # any palette: the indices are what counts
        image.putpalette([7 * i % 256 for i in range(768)])
    image.save(path)
    return path


def photo(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 90, len(path.stem))).save(path)
    return path


def images_with(folder: Path, *masks: np.ndarray, mode: str | None = None) -> Path:
    """folder/images/<n>.jpg and folder/masks/<n>.png."""
    for number, mask in enumerate(masks):
        photo(folder / "images" / f"{number}.jpg")
        write(folder / "masks" / f"{number}.png", mask, mode)
    return folder


def read(folder: Path, **options):
    return FORMATS[recognise(folder)](folder, **options)


def laid_out(found, root: Path) -> dict[str, np.ndarray]:
    """The masks that training would read, by path."""
    found = found.with_samples(
        each._replace(split=each.split or ("val" if place == 0 else "train"))
        for place, each in enumerate(found.samples)
    )
    SEGMENTATION.lay_out(found, root)
    problems = check(DataSet((Part(SEGMENTATION.own_splits(found.classes)),)), root)
    assert all("training holds no image" in line for line in problems)
    masks = root / "ADEChallengeData2016" / "annotations"
    return {path.relative_to(masks).as_posix(): np.asarray(Image.open(path)) for path in sorted(masks.rglob("*.png"))}


def told(found) -> str:
    return "\n".join(found.reading)


def test_whether_white_is_the_second_of_two_classes_is_asked(tmp_path):
    images_with(tmp_path, mask_of(0, 255), mask_of(255, 0))
    (tmp_path / "classes.txt").write_text("background\nforeground\n")
    with pytest.raises(ValueError, match=r"classes=\{0: 'background', 255: 'foreground'\}, or ignore=255"):
        read(tmp_path)
    found = read(tmp_path, classes={0: "background", 255: "foreground"}, ignore=None)
    assert found.classes == ("background", "foreground") and not found.problems


def test_masks_of_three_classes_with_255_as_void(tmp_path):
    first, second = mask_of(0, 1, 255), mask_of(2, 255)
    found = read(images_with(tmp_path / "own", first, second), classes=NAMES)
    assert found.classes == ("cat", "dog", "grass") and not found.problems
    assert "first class has the value 0: a guess" in told(found) and "255 means no class: a guess" in told(found)
    assert "masks: 0 = cat, 1 = dog, 2 = grass; no class: 255" in told(found)
    masks = laid_out(found, tmp_path / "out")
    expected = {0: 1, 1: 2, 2: 3, 255: 0}  # ADE20K's: 0 is none, k is class k - 1
    np.testing.assert_array_equal(masks["validation/images-0.png"], np.vectorize(expected.get)(first))
    np.testing.assert_array_equal(masks["training/images-1.png"], np.vectorize(expected.get)(second))
    assert masks["training/images-1.png"].dtype == np.uint8
    link = tmp_path / "out/ADEChallengeData2016/images/training/images-1.jpg"
    assert link.readlink() == tmp_path / "own/images/1.jpg"


def test_the_same_masks_are_laid_out_in_the_same_bytes(tmp_path):
    found = read(images_with(tmp_path / "own", mask_of(0, 1), mask_of(1)), classes=NAMES[:2])
    for folder in ("a", "b"):
        laid_out(found, tmp_path / folder)
    a, b = (sorted((tmp_path / folder).rglob("*.png")) for folder in ("a", "b"))
    assert [path.read_bytes() for path in a] == [path.read_bytes() for path in b]


@pytest.mark.parametrize(
    ("raw", "mode", "said"),
    [
        (mask_of(0, 3), "P", "palette"),
        (mask_of(0, 3, dtype=np.uint16), None, "16 bits"),
        (np.repeat(mask_of(0, 3)[..., None], 3, 2), None, "colours that are grey"),
        (mask_of(0, 1).astype(bool), None, "1 bit"),
    ],
)
def test_a_palettes_indices_and_any_depths_values_are_read(tmp_path, raw, mode, said):
    other = 1 if raw.dtype == bool else 3
    found = read(images_with(tmp_path / "own", raw, mode=mode), classes={0: "ground", other: "thing"})
    assert said in told(found) and found.classes == ("ground", "thing")
    (mask,) = laid_out(found, tmp_path / "out").values()
    assert mask.tolist() == mask_of(1, 2).tolist()


def test_16_bit_masks_keep_values_that_no_byte_holds(tmp_path):
    names = {24001: "car", 26002: "truck", 300: "road", 7: "road"}
    raw = mask_of(24001, 7, 65535, 300, 26002, dtype=np.uint16)
    found = read(images_with(tmp_path / "own", raw), classes=names)
    assert found.classes == ("car", "truck", "road") and "65535 means no class: a guess" in told(found)
    (mask,) = laid_out(found, tmp_path / "out").values()
    assert mask.tolist() == mask_of(1, 3, 0, 3, 2).tolist()


def test_without_a_list_classes_are_called_by_their_values_and_255_is_guessed_to_be_none(tmp_path):
    found = read(images_with(tmp_path / "own", mask_of(0, 5), mask_of(9, 255)))
    assert found.classes == ("class 0", "class 5", "class 9")
    assert "masks hold 0, 5, 9, 255, and 255 means no class: a guess" in told(found) and "no list" in told(found)
    assert read(tmp_path / "own", ignore=None).classes[-1] == "class 255"
    assert read(tmp_path / "own", ignore=[0, 9]).classes == ("class 5", "class 255")


def test_foreground_255_on_0_are_two_classes(tmp_path):
    assert read(images_with(tmp_path / "own", mask_of(0, 255))).classes == ("class 0", "class 255")


def test_masks_that_fit_two_readings_are_refused_with_what_to_say(tmp_path):
    """0 to 3 and three names: CamVid's void is 11 of 0 to 11, ADE20K's is 0 of 0 to 150."""
    own = images_with(tmp_path / "own", mask_of(0, 1, 2, 3))
    with pytest.raises(ValueError, match=r"masks hold 0, 1, 2, 3, and 3 classes are named: say by first_class"):
        read(own, classes=NAMES)
    (camvid,) = laid_out(read(own, classes=NAMES, ignore=3), tmp_path / "camvid").values()
    assert camvid.tolist() == mask_of(1, 2, 3, 0).tolist()
    (ade,) = laid_out(read(own, classes=NAMES, ignore=0), tmp_path / "ade").values()
    assert ade.tolist() == mask_of(0, 1, 2, 3).tolist()


@pytest.mark.parametrize("ignore", [3, "void", ["void"], ...])
def test_a_named_value_may_mean_no_class(tmp_path, ignore):
    found = read(images_with(tmp_path / "own", mask_of(0, 3)), classes=[*NAMES, "void"], first_class=0, ignore=ignore)
    assert found.classes == tuple(NAMES)
    assert ("void means no class: a guess" in told(found)) == (ignore is ...)
    (mask,) = laid_out(found, tmp_path / "out").values()
    assert mask.tolist() == mask_of(1, 0).tolist()


def test_values_outside_the_list_are_named_file_by_file(tmp_path):
    own = images_with(tmp_path / "own", mask_of(0, 7), mask_of(1, 2), mask_of(2, 9))
    problems = read(own, classes=NAMES, first_class=0).problems
    assert len(problems) == 2
    assert "masks/0.png holds 7 (48 pixels), expected 0, 1, 2;" in problems[0] and "masks/2.png holds 9" in problems[1]


def test_a_colour_table_says_what_colours_mean(tmp_path):
    raw = np.array([(255, 0, 0), (0, 0, 0), (0, 128, 0)], np.uint8)[mask_of(0, 1, 2)]
    with_alpha = np.dstack([raw, np.full(raw.shape[:2], 99, np.uint8)])
    found = read(images_with(tmp_path / "own", raw, with_alpha), colours=COLOURS)
    for ignore in ("void", (0, 0, 0), [(0, 0, 0)]):
        assert read(tmp_path / "own", colours=COLOURS, ignore=ignore).classes == ("cat", "dog")
    assert found.classes == ("cat", "dog") and "void means no class: a guess" in told(found)
    assert "masks: (255, 0, 0) = cat, (0, 128, 0) = dog; no class: (0, 0, 0)" in told(found)
    masks = laid_out(found, tmp_path / "out")
    assert [mask.tolist() for mask in masks.values()] == 2 * [mask_of(1, 0, 2).tolist()]


@pytest.mark.parametrize(
    "text", ["255 0 0\t\tcat\n0 128 0  dog\r\n0 0 0 void\n", "name,r,g,b\ncat,255,0,0\ndog, 0, 128, 0\nvoid,0,0,0\n"]
)
def test_a_colour_table_beside_the_images_is_found(tmp_path, text):
    raw = np.array([(255, 0, 0), (0, 128, 0)], np.uint8)[mask_of(0, 1)]
    name = "class_dict.csv" if "," in text else "label_colors.txt"
    (images_with(tmp_path / "own", raw) / name).write_text(text)
    found = read(tmp_path / "own")
    assert found.classes == ("cat", "dog") and name in told(found)


def test_colours_without_a_table_or_out_of_it_are_problems(tmp_path):
    raw = np.array([(255, 0, 0), (1, 2, 3)], np.uint8)[mask_of(0, 1)]
    own = images_with(tmp_path / "own", raw)
    (problem,) = read(own).problems
    assert "masks/0.png is in colours" in problem and "colours={'name': (r, g, b), ...}" in problem
    (problem,) = read(own, colours=COLOURS).problems
    assert "masks/0.png holds (1, 2, 3) (48 pixels)" in problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat\ndog\n\nbig cow\n", ["cat", "dog", "big cow"]),
        ("\ufeff0 background\n17: cat\n", {0: "background", 17: "cat"}),
        ("cat,1\nÜnter 5 %,12\n", {1: "cat", 12: "Ünter 5 %"}),
        ("1 2 3 a b\n4,5,6,c\n", [("a b", (1, 2, 3)), ("c", (4, 5, 6))]),
        ("0,a b,1,2,3\n1,c,4,5,6\n", [("a b", (1, 2, 3)), ("c", (4, 5, 6))]),
    ],
)
@pytest.mark.parametrize("heading", ["", "name\n"])
def test_lists_of_classes_are_read_in_all_their_ways(tmp_path, text, expected, heading):
    path = tmp_path / ("classes.csv" if heading else "classes.txt")
    path.write_text(heading + text.removeprefix("\ufeff" if heading else ""), "utf-8")
    assert read_classes(path) == expected
    if not heading:
        assert read_classes(path.rename(tmp_path / "bare.csv")) == expected, "a CSV may have no heading"


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("images/{}/a.jpg", "annotations/{}/a.png"),
        ("{}/images/a.png", "{}/labels/a.png"),
        ("{}/a.jpg", "{}_labels/a_L.png"),
        ("img/{}/town/a.JPG", "gt/{}/town/a_labelIds.png"),
        ("{}/a.jpg", "{}/a_mask.png"),
        ("images/{}2017/a.jpg", "annotations/{}2017/a.png"),
        ("ADEChallengeData2016/images/{}/a.jpeg", "ADEChallengeData2016/annotations/{}/a.png"),
    ],
)
@pytest.mark.parametrize("names", [("train", "val"), ("training", "validation"), ("train", "test")])
def test_folders_are_told_by_their_names(tmp_path, image, mask, names):
    for number, name in enumerate(names):
        photo(tmp_path / image.format(name))
        write(tmp_path / mask.format(name), mask_of(number, 1, 2))
    found = read(tmp_path, classes={0: "none", 1: "one", 2: "two"}, ignore=0)
    assert not found.problems and found.counts() == {"train": 1, "val": 1}
    for number, sample in enumerate(sorted(found.samples, key=lambda each: each.split)):
        assert sample.image == tmp_path / image.format(names[number])
        assert sample.truth.path == tmp_path / mask.format(names[number])
    assert ("a mask is called as its image with" in told(found)) == (Path(image).stem != Path(mask).stem)


def test_test_images_without_masks_are_left_out_and_told(tmp_path):
    own = images_with(tmp_path / "own/train", mask_of(0, 1), mask_of(1, 0)).parent
    photo(own / "test/images/0.jpg")
    found = read(own)
    assert "the 1 images of test have no masks and are left out" in told(found)
    assert [sample.split for sample in found.samples] == [None, None] and not found.problems


def test_folders_of_any_names_are_said_by_options(tmp_path):
    photo(tmp_path / "701/a.png")
    write(tmp_path / "approved/a_L.png", mask_of(0, 1))
    assert recognise(tmp_path) is None
    found = FORMATS["pairs"](tmp_path, images="701", masks="approved", suffix="_L")
    assert [sample.truth.path.name for sample in found.samples] == ["a_L.png"]
    with pytest.raises(ValueError, match="name both folders"):
        FORMATS["pairs"](tmp_path, images="701")
    with pytest.raises(ValueError, match="must lie below"):
        FORMATS["pairs"](tmp_path / "701", images=".", masks="../approved")
    with pytest.raises(ValueError, match=r"no image \(.jpg, .jpeg, .png\) has a mask"):
        FORMATS["pairs"](tmp_path)


def test_files_that_are_neither_images_nor_masks_are_told(tmp_path):
    own = images_with(tmp_path / "own", mask_of(0, 1))
    photo(own / "previews/0.jpg")
    photo(own / "masks/drawn.jpg")
    found = read(own)
    assert len(found.samples) == 1 and not found.problems
    assert f"2 files are, by their names, neither images nor masks of them, such as {own}/masks/drawn.jpg" in told(
        found
    )


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (dict(classes=5), "classes must be a list"),
        (dict(classes=NAMES, colours=COLOURS), "classes or colours, not both"),
        (dict(colours={"cat": (1, 2, 300)}), r"\(r, g, b\) of 0 to 255"),
        (dict(classes={"a": "cat"}), "whole number"),
        (dict(classes=NAMES, first_class=-1), "whole number"),
        (dict(ignore=70_000), "below 65,536"),
        (dict(ignore=[(1, 2, 3)]), "whole number"),
        (dict(colours=COLOURS, ignore=0), r"a colour is \(r, g, b\)"),
        (dict(classes=NAMES, first_class=0, ignore="dgo"), "'dog'"),
        (dict(ignore="255"), "ignore names '255', and no classes are named"),
        (dict(unannotated="keep"), "'keep' does not exist; choose from drop, error"),
        (dict(scored="test"), "scored 'test'"),
    ],
)
def test_options_that_mean_nothing_are_refused_by_name(tmp_path, options, named):
    own = images_with(tmp_path / "own", mask_of(0, 1))
    with pytest.raises(ValueError, match=named) as error:
        read(own, **options)
    assert "\n" not in str(error.value)


def test_two_lists_of_classes_are_told_apart_by_the_user(tmp_path):
    own = images_with(tmp_path / "own", mask_of(0, 1))
    for name in ("classes.txt", "labels.txt"):
        (own / name).write_text(f"{name}\nother\n")
    with pytest.raises(ValueError, match="classes.txt and labels.txt; say by classes="):
        read(own)
    assert read(own, classes="labels.txt").classes == ("labels.txt", "other")


def test_two_images_of_one_name_in_different_folders_are_both_laid_out(tmp_path):
    for town in ("bonn", "bonn/bonn"):
        photo(tmp_path / "own/images" / town / "a.jpg")
        write(tmp_path / "own/masks" / town / "a.png", mask_of(0, 1))
    assert set(laid_out(read(tmp_path / "own"), tmp_path / "out")) == {
        "validation/images-bonn-a.png",
        "training/images-bonn-bonn-a.png",
    }


def test_images_without_masks_and_masks_without_images_are_problems(tmp_path):
    own = images_with(tmp_path / "own", mask_of(0, 1))
    photo(own / "images/bare.jpg")
    write(own / "masks/alone.png", mask_of(0, 1))
    alone, bare = read(own).problems
    assert "masks/alone.png has no image" in alone and "images/bare.jpg has no mask" in bare
    found = read(own, unannotated="drop")
    assert found.problems == [alone] and "1 images have no mask and are left out" in told(found)
    assert [sample.name for sample in found.samples] == ["images/0"]


def test_two_images_of_one_mask_are_a_problem(tmp_path):
    own = images_with(tmp_path / "own", mask_of(0, 1), mask_of(1, 0))
    photo(own / "photos/1.jpg")
    assert [line for line in read(own).problems if line.startswith(f"mask {own}/masks/1.png belongs to several images")]


def test_a_mask_of_another_size_is_a_problem_also_where_exif_turns_the_image(tmp_path):
    own = images_with(tmp_path / "own", mask_of(0, 1), mask_of(0, 1).T.copy())
    photo(own / "images/0.jpg", (WIDTH, HEIGHT + 1))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (WIDTH, HEIGHT)).save(own / "images/1.jpg", exif=exif)
    size, turned = read(own).problems
    assert "masks/0.png has 12 x 8 px, its image 12 x 9" in size
    assert "masks/1.png has 8 x 12 px, its image 12 x 8 as stored, which EXIF turns" in turned
    with pytest.raises(ValueError, match=r"masks/0\.png is of another size"):
        SEGMENTATION.show(read(own).samples[0], ())
    write(own / "masks/1.png", mask_of(0, 1))
    assert "1 images are turned by EXIF when they are shown; they are read as stored" in told(read(own))


def test_more_classes_than_a_byte_holds_are_refused(tmp_path):
    own = images_with(tmp_path / "own", np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH))
    for names in (254, 255):
        classes = {value: f"c{value}" for value in range(names)}
        if names == 254:
            assert len(read(own, classes=classes).classes) == names
        else:
            with pytest.raises(ValueError, match="255 classes, at most 254"):
                read(own, classes=classes)


def camvid(folder: Path, *splits: str) -> Path:
    for number, split in enumerate(splits):
        photo(folder / split / f"{number}.png")
        write(folder / f"{split}annot" / f"{number}.png", mask_of(0, 10, 11))
    return folder


@pytest.mark.parametrize(
    ("scored", "expected", "words"),
    [
        (None, {"train": 2, "val": 1}, "test is scored, and val is trained on, too"),
        ("val", {"train": 1, "val": 1}, "val is scored, and test is not read"),
    ],
)
def test_camvid_as_published(tmp_path, scored, expected, words):
    found = read(camvid(tmp_path / "own", "train", "val", "test"), scored=scored)
    assert [stage.name for stage in sources_in(tmp_path / "own")] == ["segmentation"], "no class folders"
    assert found.counts() == expected and words in told(found) and not found.problems
    assert (len(found.classes), found.classes[0], found.classes[10]) == (11, "sky", "bicyclist")
    masks = laid_out(found, tmp_path / "out")
    assert all(mask.tolist() == mask_of(1, 11, 0).tolist() for mask in masks.values())


def test_voc_takes_trainval_and_test_where_test_has_masks_else_train_and_val(tmp_path):
    year = tmp_path / "VOCdevkit/VOC2012"
    lists = {"train": ["1"], "val": ["2"], "trainval": ["1", "2"], "test": ["3"]}
    for name in "1234":
        photo(year / "JPEGImages" / f"{name}.jpg")
    for name, split in lists.items():
        path = year / "ImageSets/Segmentation" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(split))
    for name in "12":
        write(year / "SegmentationClass" / f"{name}.png", mask_of(0, 20, 255), "P")
    found = read(tmp_path)
    assert found.counts() == {"train": 1, "val": 1} and "val is scored" in told(found)
    assert (len(found.classes), found.classes[0], found.classes[20]) == (21, "background", "tvmonitor")
    assert [mask.tolist() for mask in laid_out(found, tmp_path / "out").values()] == 2 * [mask_of(1, 21, 0).tolist()]
    write(year / "SegmentationClass/3.png", mask_of(0, 255), "P")
    found = read(tmp_path)
    assert found.counts() == {"train": 2, "val": 1} and "test is scored" in told(found)
    (year / "JPEGImages/3.jpg").unlink()
    (problem,) = read(tmp_path).problems
    assert "JPEGImages/3.jpg does not exist, but ImageSets/Segmentation lists it" in problem


def test_voc_says_whose_classes_it_takes_and_what_it_leaves_out(tmp_path):
    year = tmp_path / "VOC2012"
    for name in "123":
        photo(year / "JPEGImages" / f"{name}.jpg")
    for name in "12":
        write(year / "SegmentationClass" / f"{name}.png", mask_of(0, 1, 255), "P")
    found = read(tmp_path)
    assert len(found.classes) == 21 and "VOC's 21: a guess, which classes replaces" in told(found)
    assert "1 images have no mask, and are left out: 3" in told(found)
    (year / "class_names.txt").write_text("ground\nbarn\n")
    found = read(tmp_path)
    assert found.classes == ("ground", "barn") and "class_names.txt" in told(found) and "guess" not in told(found)
    (year / "other.txt").write_text("earth\nshed\n")
    assert read(tmp_path, classes="other.txt").classes == ("earth", "shed")
    lists = year / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "trainval.txt").write_text("1\n")
    (lists / "test.txt").write_text("3\n")
    found = read(tmp_path)
    assert "1 masks are in no list that is read, and are left out: 2" in told(found)
    assert "the list test is not read: none of its images has a mask" in told(found)


def test_cityscapes_train_ids_or_by_its_own_table_label_ids(tmp_path):
    for split in ("train", "val"):
        photo(tmp_path / f"own/leftImg8bit/{split}/ulm/ulm_0_{split}_leftImg8bit.png")
        masks = tmp_path / f"own/gtFine/{split}/ulm/ulm_0_{split}_gtFine"
        write(masks.with_name(f"{masks.name}_labelIds.png"), mask_of(7, 33, 4))  # road, bicycle, static
    by_id = read(tmp_path / "own")
    for path in (tmp_path / "own/gtFine").rglob("*_labelIds.png"):
        write(path.with_name(path.name.replace("labelIds", "labelTrainIds")), mask_of(0, 18, 255))
    by_train_id = read(tmp_path / "own")
    assert "labelIds are read as the 19 classes" in told(by_id) and "labelIds" not in told(by_train_id)
    for number, found in enumerate((by_id, by_train_id)):
        assert found.counts() == {"train": 1, "val": 1} and not found.problems
        assert (len(found.classes), found.classes[0], found.classes[18]) == (19, "road", "bicycle")
        masks = laid_out(found, tmp_path / f"out{number}")
        assert [mask.tolist() for mask in masks.values()] == 2 * [mask_of(1, 19, 0).tolist()]


def test_a_sample_is_shown_with_its_classes_coloured_and_the_rest_as_it_is(tmp_path):
    mask = np.zeros((192, 256), np.uint8)
    mask[:, :128] = 255
    write(tmp_path / "own/masks/a.png", mask)
    photo(tmp_path / "own/images/a.png", (256, 192))
    found = read(tmp_path / "own", ignore=255)
    picture = SEGMENTATION.show(found.samples[0], found.classes)
    assert (picture[:, :128] == (200, 90, 1)).all() and (picture[:, 128:] != (200, 90, 1)).any(2).all()


def test_each_class_is_named_where_a_mask_shows_it_widely():
    mask = np.zeros((128, 256), np.uint8)
    mask[:, 128:], mask[:4, :4], mask[126:] = 1, 2, 255
    plain = np.full((128, 256, 3), 90, np.uint8)
    named = (name_areas(plain.copy(), mask, ["sky", "road", "pole"]) != plain).any(2)
    places = [np.argwhere(half).T for half in (named[:, :128], named[:, 128:])]
    middles = [[(axis.min() + axis.max()) / 2 for axis in place] for place in places]
    assert middles == pytest.approx(np.array([[64, 64], [64, 64]]), abs=16), (
        "in the middle of both halves, and not beside"
    )


@pytest.mark.parametrize("protocol", SEGMENTATION.protocols)
def test_a_protocol_takes_own_classes_and_changes_nothing_else(protocol):
    cfg = Run("segmentation", "resnet50_baseline", "paper", protocol=protocol).draft()
    before = cfg.to_dict()
    SEGMENTATION.adopt(cfg, "own", ("a", "b"), {"train": 9, "val": 3})
    assert {key for key in changed_keys(before, cfg.to_dict())} == {
        "model.decode_head.num_classes",
        "train_dataloader.dataset.dataset.metainfo",
        "val_dataloader.dataset.metainfo",
    }
    assert cfg.model.decode_head.num_classes == 2
    assert Ids.of(cfg.val_dataloader.dataset) == (1, 0), "which is what lay_out writes"


@pytest.mark.slow
def test_masks_of_three_classes_with_void_are_trained_on_and_scored_and_too_few_for_a_batch_told(tmp_path):
    """Every pixel but the void ones is scored, at the images' own sizes."""
    own = images_with(tmp_path / "own", *(mask_of(0, 1, 255, 2)[:, : 4 + i % 7] for i in range(30)))
    for number in range(30):
        photo(own / f"images/{number}.jpg", (4 + number % 7, HEIGHT))
    source = dict(folder="own", format="pairs", classes=NAMES, duplicates="keep")  # the pictures are alike
    one = {"val_dataloader.batch_size": 1, "val_dataloader.num_batch_per_epoch": 99}  # images differ in size
    (tmp_path / "three.py").write_text(f"base = 'smoke'\nsegmentation = dict(source={source}, values={one})\n")
    backbone = dict(type="backbones.ResNet", depth=18, tweak="bcd")
    facts = dict(name="toy", tier="three", seed=0, mean=[123.68, 116.779, 103.939], std=[58.393, 57.12, 57.375])
    write_card(Path("work/three/resnet50_baseline/seed0"), ResNet(18, "bcd"), backbone, {}, licences={}, **facts)
    words = [sys.executable, TRAIN, "segmentation", "resnet50_baseline", "--tier", str(tmp_path / "three.py")]
    few = subprocess.run([*words, "--set", "train_dataloader.batch_size=40"], capture_output=True, text=True)
    assert few.returncode == 2 and "training images do not fill one batch of 40" in few.stderr
    assert "train_dataloader.batch_size" in few.stderr.splitlines()[-1]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "255 means no class: a guess" in few.stdout and "is read as" not in done.stdout, "it is laid out once"
    (outputs,) = Path("work/results").rglob("outputs.npz")
    arrays = np.load(outputs)
    pixels = {f"images-{i}": int((np.asarray(Image.open(own / f"masks/{i}.png")) != 255).sum()) for i in range(30)}
    assert arrays["counts"][:, 2].sum(1).tolist() == [pixels[name] for name in arrays["names"]]
    assert arrays["classes"].tolist() == NAMES


def test_a_real_palettes_indices_are_the_classes(tmp_path):
    for path in (Path(__file__).parent / "annotations").glob("*_gt.png"):
        with Image.open(path) as image:
            indices = np.asarray(image)
            assert image.mode == "P"
        photo(tmp_path / "images" / path.name.replace("_gt", ""), image.size)
        (tmp_path / "masks").mkdir(exist_ok=True)
        (tmp_path / "masks" / path.name).write_bytes(path.read_bytes())
        assert set(np.unique(indices)) < {0, 1, 2}
    found = read(tmp_path, classes=["a", "b", "c"], first_class=0, ignore=None)
    assert "2 masks have a palette: its indices are read" in told(found) and not found.problems
    for name, mask in laid_out(found, tmp_path / "out").items():
        with Image.open(tmp_path / "masks" / f"{Path(name).stem.removeprefix('images-')}_gt.png") as image:
            assert (mask - 1 == np.asarray(image)).all()


@pytest.mark.parametrize("numbers", [np.full((HEIGHT, WIDTH), 0.5, np.float32), np.full((HEIGHT, WIDTH), 70_000)])
def test_a_mask_of_other_numbers_than_8_or_16_bits_is_a_problem_not_a_fault(tmp_path, numbers):
    own = images_with(tmp_path / "own", mask_of(0, 1), mask_of(0, 1))
    Image.fromarray(numbers.astype(np.int32) if numbers.max() > 1 else numbers).save(own / "masks/1.png", "TIFF")
    (problem,) = read(own, classes=["a", "b"], first_class=0, ignore=None).problems
    assert "masks/1.png holds numbers that are no values of 8 or 16 bits" in problem


def test_classes_that_a_split_lacks_are_refused_with_their_counts(tmp_path):
    own = images_with(tmp_path / "own", mask_of(0, 1, 9), mask_of(0, 9), mask_of(0, 2))
    found = read(own, classes=["a", "b", "c", "d"], first_class=0, ignore=9)
    splits = zip(found.samples, ("train", "train", "val"), strict=True)
    lines = SEGMENTATION.lacking(found.with_samples(each._replace(split=split) for each, split in splits))
    assert [line.partition("; ")[0] for line in lines] == [
        "class b has no image in val (1 in train)",
        "class c has no image in train (1 in val)",
        "class d has no image",
    ]
