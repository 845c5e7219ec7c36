"""VOC and COCO data of anyone's own: found, paired, split, read as they are meant, laid out as training reads them."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exif import orient
from mmdet.datasets import XMLDataset
from PIL import Image, ImageOps
from protocols import DETECTION as PROTOCOLS
from protocols import load
from pycocotools.coco import COCO
from toy_voc import toy_card, write_voc, xml

from detection.data import VOC
from detection.formats import coco, voc
from detection.stage import DETECTION
from trick_transfer.engine.images import decode
from trick_transfer.engine.source import Sample
from trick_transfer.own_data.prepare import prepared, usable
from trick_transfer.own_data.report import sizes
from trick_transfer.own_data.source import Source

TRAIN = Path(__file__).parents[1] / "tools" / "train.py"
CAT = ("cat", 0, (11, 11, 60, 50))
ODD = ("Ünter 5 %", "traffic light")


def picture(path, size=(96, 64), number=0):
    """A small photograph-like image; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(number).integers(0, 256, (4, 6, 3), np.uint8)
    Image.fromarray(coarse).resize(size).save(path)
    return path


def beside(folder, objects=(CAT,), names=("a", "b"), size=(96, 64), **stated):
    """Images with XMLs beside them; `stated` is the size in the XML. Returns the folder."""
    for number, name in enumerate(names):
        picture(folder / f"{name}.jpg", size, number)
        (folder / f"{name}.xml").write_text(xml(objects, **stated), "utf-8")
    return folder


def only(found):
    """The one sample's objects, as (name, difficult, box from 0)."""
    assert not found.problems
    (sample,) = found.samples
    return [(each["name"], each["difficult"], each["bbox"]) for each in sample.truth.objects]


def laid_out(folder, root, form="voc", **options):
    """What `prepared` says of a folder, laid out under a root."""
    stated = dict(folder=str(folder), format=form, val_percent=50, **options)
    return prepared(DETECTION, Source.of(DETECTION, stated, "test", Path()), root)


def data_set(root, classes, listed="trainval", reader=VOC, **options):
    """A data set of mmdet's on a folder that was laid out."""
    return reader(
        data_root=str(root),
        ann_file=f"VOCdevkit/VOC2007/ImageSets/Main/{listed}.txt",
        data_prefix=dict(sub_data_root="VOCdevkit/VOC2007"),
        metainfo=dict(classes=tuple(classes)),
        pipeline=[],
        test_mode=True,
        **options,
    )


LAYOUTS = {  # image, XML, the sample's name
    "a devkit": ("VOCdevkit/VOC2007/JPEGImages/1.jpg", "VOCdevkit/VOC2007/Annotations/1.xml", "VOC2007/1"),
    "one year": ("JPEGImages/1.jpg", "Annotations/1.xml", "1"),
    "beside each other": ("x/1.jpg", "x/1.xml", "x/1"),
    "folders of both kinds": ("images/1.JPG", "annotations/xmls/1.xml", "1"),
    "kinds above sets": ("images/train/1.png", "annotations/train/1.xml", "train/1"),
    "sets above kinds": ("train/images/1.jpeg", "train/annotations/1.xml", "train/1"),
}


@pytest.mark.parametrize(("image", "annotation", "name"), LAYOUTS.values(), ids=LAYOUTS)
def test_an_image_and_its_xml_are_found_by_their_name_in_each_layout(tmp_path, image, annotation, name):
    picture(tmp_path / image)
    (tmp_path / annotation).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / annotation).write_text(xml([CAT]))
    found = voc(tmp_path)
    assert only(found) == [("cat", 0, [10, 10, 59, 49])]
    assert found.samples[0][:2] == (name, tmp_path / image) and found.samples[0].split is None
    assert DETECTION.recognise(tmp_path) == "voc"


def test_masks_beside_the_photographs_are_no_photographs(tmp_path):
    base = write_voc(tmp_path, images=1) / "VOCdevkit/VOC2007"
    picture(base / "SegmentationClass/test_0.png")
    picture(base / "Annotations/trimap.png")
    assert not voc(tmp_path).problems


def write_lists(base, **lists):
    (base / "ImageSets/Main").mkdir(parents=True, exist_ok=True)
    for name, lines in lists.items():
        (base / f"ImageSets/Main/{name}.txt").write_text("".join(f"{line}\n" for line in lines), "utf-8")


SPLITS = [  # the lists, options, train, val
    (dict(trainval="abc", train="a", val="bc", test="de"), {}, "abc", "de"),
    (dict(train="ab", val="c", test="de"), {}, "ab", "c"),
    (dict(train="ab", test="de"), {}, "ab", "de"),
    (dict(train="ab", val="c", test="de"), dict(val="test"), "ab", "de"),
    (dict(train="ab", val="c", test="de"), dict(train="val", val="test"), "c", "de"),
    (dict(train=["a  1", "b -1"], val=["c  0"]), {}, "ab", "c"),
    (dict(cat_train=["a  1", "b -1"], dog_train=["b 1", "a -1"], cat_val=["c  0"]), {}, "ab", "c"),
]


@pytest.mark.parametrize(("lists", "options", "train", "val"), SPLITS)
def test_lists_say_what_is_trained_on_and_what_is_scored_and_it_is_told(tmp_path, lists, options, train, val):
    write_lists(beside(tmp_path, names="abcdef"), **lists)
    found = voc(tmp_path, **options)
    assert not found.problems
    assert ["".join(sample.name for sample in found.of(split)) for split in ("train", "val")] == [train, val]
    assert f"({len(train)} images) is trained on" in found.reading[0] and f"({len(val)}) is scored" in found.reading[0]
    assert f"{6 - len(train + val)} images are in no set that is read" in found.reading


def test_a_name_that_ends_like_a_column_stays_whole(tmp_path):
    write_lists(beside(tmp_path, names=["my cat 1", "my cat 0"]), train=["my cat 1"], val=["my cat 0"])
    assert {sample.name: sample.split for sample in voc(tmp_path).samples} == {"my cat 1": "train", "my cat 0": "val"}


def test_all_years_of_a_devkit_are_read_and_a_name_in_two_of_them_stays_two_images(tmp_path):
    root = write_voc(tmp_path / "source", images=3)  # 2007 trainval and test, 2012 trainval, in which names repeat
    facts = laid_out(root, tmp_path / "data", duplicates="keep")
    assert facts.counts == {"train": 6, "val": 3}
    names = (tmp_path / "data/VOCdevkit/VOC2007/ImageSets/Main/trainval.txt").read_text().split()
    assert names == [f"VOC{year}-trainval_{i}" for year in (2007, 2012) for i in range(3)]


def test_folders_named_like_sets_split_as_an_export_of_roboflow_does(tmp_path):
    for split, names in dict(train="ab", valid="c", test="a").items():
        beside(tmp_path / split, names=names)
    found = voc(tmp_path)
    assert {sample.name: sample.split for sample in found.samples} == dict.fromkeys(("train/a", "train/b"), "train") | {
        "valid/c": "val"
    }
    assert any(line.startswith("not read: set test") for line in found.reading)


def test_one_set_alone_is_split_by_hash(tmp_path):
    write_lists(beside(tmp_path, names="abc"), trainval="ab")
    assert {sample.name: sample.split for sample in voc(tmp_path).samples} == {"a": None, "b": None}


PROBLEMS = [  # files, options, what the line has to say
    (dict(lists=dict(train="ax", val="b")), {}, r"train\.txt lists x, which has neither"),
    (dict(lists=dict(train="ab", val="b")), {}, "b is in both sets, train and val"),
    (dict(image="c"), {}, r"c\.jpg has no XML; .*unannotated='empty'"),
    (dict(xml="c"), {}, r"c\.xml has no image"),
    (dict(image="a", suffix=".png"), {}, r"a\.jpg and .*a\.png have one name"),
    (
        dict(objects=[("cat", 0, (0, 1, 9, 9)), ("cat", 0, (1, 1, 96, 9))]),
        {},
        "2 have a side at 0 .*2 have one at .*first_pixel=0",
    ),
    (dict(objects=[("cat", 0, (0, 1, 96, 9))]), {}, "from 0 and from 1: .*first_pixel=0 and bad_boxes='clip'"),
    (dict(objects=[("cat", 0, (-2, 1, 9, 9))]), {}, r"a\.xml: the box \(-2, 1, 9, 9\) .*bad_boxes='clip' or 'drop'"),
    (dict(objects=[("cat", 0, (1, 1, 99, 9))]), {}, r"\(1, 1, 99, 9\).*96 x 64 pixels, counted from 1"),
    (dict(), dict(classes=["dog"]), r"a\.xml: label 'cat' is not one of the 1 classes"),
    (dict(objects=[("", 0, (1, 1, 9, 9))]), {}, r"a\.xml: an <object> has no <name>"),
    (dict(width=64, height=63), {}, r"a\.xml: it states 64 x 63"),
]


@pytest.mark.parametrize(("files", "options", "said"), PROBLEMS)
def test_what_has_to_be_mended_is_one_line_with_file_and_fix(tmp_path, files, options, said):
    stated = {key: files[key] for key in ("objects", "width", "height") if key in files}
    write_lists(beside(tmp_path, **stated), **files.get("lists", {}))
    if "image" in files:
        picture(tmp_path / f"{files['image']}{files.get('suffix', '.jpg')}")
    if "xml" in files:
        (tmp_path / f"{files['xml']}.xml").write_text(xml([CAT]))
    found = voc(tmp_path, **options)
    assert [line for line in found.problems if re.search(said, line)] and "\n" not in "".join(found.problems)


LACKING = [
    "class Cat has no image in train (2 in val)",
    "class cat has no image in val (2 in train)",
    "class cow has no image",
]


@pytest.mark.parametrize("listed", ["classes.txt", "the option"])
def test_classes_that_a_split_lacks_are_refused_with_their_counts_or_told(tmp_path, listed):
    write_lists(beside(beside(tmp_path, names="ab"), [("Cat", 0, (1, 1, 9, 9))], "cd"), train="ab", val="cd")
    stated = dict(folder=str(tmp_path), format="voc")
    if listed == "the option":
        stated["classes"] = ["Cat", "cat", "cow"]
    else:
        (tmp_path / "classes.txt").write_text("Cat\ncat\ncow\n")
    source = Source.of(DETECTION, stated | dict(duplicates="keep"), "here", tmp_path)
    found = usable(source.read(DETECTION), source, DETECTION)
    assert [line.partition("; ")[0] for line in found.problems] == LACKING
    assert all("set lacking='keep'" in line for line in found.problems)
    source = replace(source, lacking="keep")
    found = usable(source.read(DETECTION), source, DETECTION)
    assert not found.problems and found.reading[-3:] == LACKING


def test_a_class_that_a_split_by_hash_leaves_out_of_one_part_is_refused_too(tmp_path):
    beside(beside(tmp_path, names="abcdefgh"), [("cow", 0, (1, 1, 9, 9))], "i")
    source = Source.of(DETECTION, dict(folder=str(tmp_path), format="voc", duplicates="keep"), "here", tmp_path)
    problems = usable(source.read(DETECTION), source, DETECTION).problems
    assert [line for line in problems if line.startswith("class cow has no image in ")]


@pytest.mark.parametrize(("unannotated", "names"), [("empty", ["a", "b", "c"]), ("drop", ["a", "b"])])
def test_images_without_xml_show_nothing_or_are_left_out_as_asked(tmp_path, unannotated, names):
    picture(beside(tmp_path) / "c.jpg")
    found = voc(tmp_path, unannotated=unannotated)
    assert [sample.name for sample in found.samples] == names and not found.problems
    assert any(line.startswith("1 images without XML") for line in found.reading)


@pytest.mark.parametrize(
    "options", [dict(first_pixel=2), dict(bad_boxes="skip"), dict(unannotated="?"), dict(val="x"), dict(classes="cat")]
)
def test_an_option_that_does_not_exist_is_named(tmp_path, options):
    with pytest.raises(ValueError, match=rf"\b{next(iter(options))}\b"):
        voc(beside(tmp_path), **options)


FIRST_PIXELS = [  # boxes as stated, options, from 0, what is told
    ([(0, 5, 9, 9), (4, 5, 20, 30)], {}, [[0, 5, 9, 9], [4, 5, 20, 30]], "from 0: 1 have a side at 0"),
    ([(1, 5, 96, 9), (4, 5, 20, 64)], {}, [[0, 4, 95, 8], [3, 4, 19, 63]], "from 1: 2 have one at the image's width"),
    ([(4, 5, 20, 30)], {}, [[3, 4, 19, 29]], "from 1: as in VOC; no side"),
    ([(4, 5, 20, 30)], dict(first_pixel=0), [[4, 5, 20, 30]], "from 0: first_pixel, or the format, says so"),
    ([(0.5, 5, 20.25, 30)], {}, [[0.5, 5, 20.25, 30]], "from 0: 1 have a side at 0"),
    (
        [(0, 0, 96, 64)],
        dict(first_pixel=0, bad_boxes="clip"),
        [[0, 0, 95, 63]],
        "1 bad boxes: 1 are clipped, 0 left out",
    ),
    ([(-4, 5, 20, 99)], dict(bad_boxes="clip"), [[0, 4, 19, 63]], "1 bad boxes: 1 are clipped, 0 left out"),
    ([(9, 5, 8, 9), (1, 1, 2, 2)], dict(bad_boxes="clip"), [[0, 0, 1, 1]], "1 bad boxes: 0 are clipped, 1 left out"),
    ([(-4, 5, 20, 9), (1, 1, 2, 2)], dict(bad_boxes="drop"), [[0, 0, 1, 1]], "1 bad boxes: 0 are clipped, 1 left out"),
]


@pytest.mark.parametrize(("boxes", "options", "expected", "told"), FIRST_PIXELS)
def test_the_first_pixel_is_guessed_aloud_and_bad_boxes_are_treated_as_asked(tmp_path, boxes, options, expected, told):
    found = voc(beside(tmp_path, [("cat", 0, box) for box in boxes], "a"), **options)
    assert [box for _, _, box in only(found)] == expected
    assert any(told in line for line in found.reading)


def laid_out_boxes(root, name):
    """Name and box (xmin, ymin, xmax, ymax) of each object in an XML that was laid out, by ElementTree alone."""
    things = ET.parse(root / f"VOCdevkit/VOC2007/Annotations/{name}.xml").getroot().findall("object")
    return [(thing.findtext("name"), [float(side.text) for side in thing.find("bndbox")]) for thing in things]


def test_odd_names_of_classes_and_files_arrive_in_what_training_reads(tmp_path):
    objects = [(ODD[0], 0, (1, 1, 9, 9)), (ODD[1], 1, (5, 6, 96, 64)), ("a < b & c", 0, (7, 7, 7, 7))]
    escaped = [(name.replace("&", "&amp;").replace("<", "&lt;"), *rest) for name, *rest in objects]
    names = ["Straße 1", "b.v2", *(f"{i} {i}" for i in range(6))]
    facts = laid_out(beside(tmp_path / "my data", escaped, names), tmp_path / "data")
    assert facts.classes == sorted(name for name, *_ in objects) and sum(facts.counts.values()) == len(names)
    assert laid_out_boxes(tmp_path / "data", "Straße 1") == [(name, list(box)) for name, _, box in objects]
    read = [data_set(tmp_path / "data", facts.classes, listed) for listed in ("trainval", "test")]
    assert sorted(each.get_data_info(i)["img_id"] for each in read for i in range(len(each))) == sorted(names)
    found = read[1].get_data_info(0)["instances"]
    assert [facts.classes[each["bbox_label"]] for each in found] == [name for name, *_ in objects]
    assert [each["bbox"] for each in found] == [[side - 1 for side in box] for *_, box in objects]
    assert [each["ignore_flag"] for each in found] == [0, 1, 0]


def test_boxes_are_those_that_mmdet_reads_in_the_source(tmp_path):
    """mmdet's reader truncates coordinates and subtracts 1, too; of whole numbers it reads the same boxes."""
    objects = [("cat", 0, (11, 11, 60, 50)), ("bird", 0, (1, 1, 96, 64)), ("cat", 0, (3, 4, 5, 6))]
    root = write_voc(tmp_path / "source", objects)
    facts = laid_out(root, tmp_path / "data", duplicates="keep")
    theirs = data_set(root, facts.classes, reader=XMLDataset)
    ours = data_set(tmp_path / "data", facts.classes, reader=XMLDataset)
    assert len(theirs) == 4 and len(ours) == 8
    for i in range(4):
        one, other = (each.get_data_info(i)["instances"] for each in (theirs, ours))
        assert [(each["bbox"], each["bbox_label"]) for each in one] == [(e["bbox"], e["bbox_label"]) for e in other]


def test_laying_out_links_the_images_and_writes_equal_bytes_each_time(tmp_path):
    source = beside(tmp_path / "source", [("cat", 0, (1.5, 2, 283.7935174069628 / 3, 64))], "abcdefgh")
    (source / "a.jpg").rename(source / "a.JPG")
    laid_out(source, tmp_path / "one")
    laid_out(source, tmp_path / "two")
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert len(files) == 2 * 8 + 2
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in files)
    link = tmp_path / "one/VOCdevkit/VOC2007/JPEGImages/a.JPG"
    assert link.is_symlink() and link.readlink() == (source / "a.JPG").resolve()
    assert laid_out_boxes(tmp_path / "one", "a")[0][1] == pytest.approx([1.5, 2, 283.7935174069628 / 3, 64])


@pytest.mark.parametrize("orientation", [6, 8])
@pytest.mark.parametrize("turned", [True, False])
def test_an_image_that_exif_turns_is_read_as_its_boxes_are_through_the_copy(tmp_path, orientation, turned):
    size = (64, 96) if turned else (96, 64)
    source = beside(tmp_path / "source", [("cat", 0, (5, 60, 40, 64))], "abcdef", width=size[0], height=size[1])
    stored = {name: orient(source / f"{name}.jpg", orientation) for name in "abcdef"}
    facts = laid_out(source, tmp_path / "data")
    assert any("as EXIF turns it" in line for line in facts.reading) == turned
    info = data_set(tmp_path / "data", facts.classes).get_data_info(0)
    assert (info["width"], info["height"], info["turned"]) == (*size, turned)
    expected = ImageOps.exif_transpose(stored[info["img_id"]]) if turned else stored[info["img_id"]]
    np.testing.assert_allclose(decode(info["img_path"], info["turned"]).astype(int), np.asarray(expected), atol=3)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_protocol_adopts_one_training_set_the_classes_and_their_number(tmp_path, protocol):
    facts = laid_out(
        beside(tmp_path / "source", [(name, 0, (1, 1, 9, 9)) for name in ODD], "abcdef"), tmp_path / "data"
    )
    cfg = load(None, protocol, data_root=tmp_path / "data")
    DETECTION.adopt(cfg, "mine", facts.classes, facts.counts)
    DETECTION.check(cfg)
    DETECTION.check_data(cfg)
    DETECTION.check_own_data(cfg, ())
    (train,) = cfg.train_dataloader.dataset.dataset.datasets
    assert train.ann_file.endswith("VOC2007/ImageSets/Main/trainval.txt")
    assert train.metainfo.classes == cfg.val_dataloader.dataset.metainfo.classes == tuple(sorted(ODD))
    assert cfg.model.roi_head.bbox_head.num_classes == 2


def test_a_picture_shows_the_boxes_where_they_are(tmp_path):
    beside(tmp_path, [("cat", 0, (33, 17, 64, 48))], "a", size=(96, 64))
    (sample,) = voc(tmp_path).samples
    drawn = DETECTION.show(sample, ["cat"])
    without = DETECTION.show(sample._replace(truth=sample.truth._replace(objects=[])), ["cat"])
    rows, columns = np.nonzero((drawn != without).any(2))
    assert drawn.shape == (192, 288, 3)  # three times as large
    assert (columns.min(), rows.min(), rows.max()) == (96, 48, 141)


ODD_VOC = {  # an object, or what is around it, as it is in files of some tool -> name, difficult, box from 0
    "the boxes of parts are no objects": (
        "<size><width>96</width><height>64</height></size><object><name>person</name><difficult>0</difficult><bndbox>"
        "<xmin>11</xmin><ymin>12</ymin><xmax>60</xmax><ymax>50</ymax></bndbox><part><name>head</name><bndbox>"
        "<xmin>20.5</xmin><ymin>12</ymin><xmax>30</xmax><ymax>20</ymax></bndbox></part></object>",
        ("person", 0, [10, 11, 59, 49]),
    ),
    "a size of 0 x 0 comes from the image": (
        "<size><width>0</width><height>0</height></size><object><name>apple</name><difficult>0</difficult><bndbox>"
        "<xmin>8</xmin><ymin>15</ymin><xmax>96</xmax><ymax>64</ymax></bndbox></object>",
        ("apple", 0, [7, 14, 95, 63]),
    ),
    "one pixel is a box": (
        "<size><width>96</width><height>64</height></size><object><name>head</name><difficult>0</difficult><bndbox>"
        "<xmin>1</xmin><ymin>1</ymin><xmax>1</xmax><ymax>1</ymax></bndbox></object>",
        ("head", 0, [0, 0, 0, 0]),
    ),
    "CVAT: fractions, occluded, no difficult, a folder without name": (
        "<folder/><size><width>96</width><height>64</height></size><object><name>car</name><occluded>1</occluded>"
        "<bndbox><xmin>9.27</xmin><ymin>3.5</ymin><xmax>60.75</xmax><ymax>50</ymax></bndbox></object>",
        ("car", 0, [8.27, 2.5, 59.75, 49]),
    ),
    "VoTT: from 0, fractions, verified": (
        "<size><width>96</width><height>64</height></size><object><name>dog</name><difficult>0</difficult><bndbox>"
        "<xmin>0</xmin><ymin>0</ymin><xmax>83.7935174069628</xmax><ymax>21.25</ymax></bndbox></object>",
        ("dog", 0, [0, 0, 83.7935174069628, 21.25]),
    ),
    "Roboflow: another order of sides, another file's name": (
        "<folder></folder><filename>a_jpg.rf.29da.jpg</filename><size><width>96</width><height>64</height></size>"
        "<object><name>cell</name><truncated>0</truncated><difficult>0</difficult><bndbox><xmin>12</xmin>"
        "<xmax>29</xmax><ymin>8</ymin><ymax>20</ymax></bndbox></object>",
        ("cell", 0, [11, 7, 28, 19]),
    ),
    "labelImg: a path of Windows, one channel": (
        "<path>D:\\4\\a.jpg</path><size><width>96</width><height>64</height><depth>1</depth></size><object>"
        "<name>\n  person </name><difficult>1</difficult><bndbox><xmin>12</xmin><ymin>8</ymin><xmax>29</xmax>"
        "<ymax>20</ymax></bndbox></object>",
        ("person", 1, [11, 7, 28, 19]),
    ),
}


@pytest.mark.parametrize(("inside", "expected"), ODD_VOC.values(), ids=ODD_VOC)
def test_an_odd_xml_has_one_right_reading(tmp_path, inside, expected):
    picture(tmp_path / "a.jpg")
    (tmp_path / "a.xml").write_text(f'<?xml version="1.0" ?><annotation verified="yes">{inside}</annotation>')
    ((name, difficult, box),) = only(voc(tmp_path))
    assert (name, difficult, box) == (*expected[:2], pytest.approx(expected[2]))


TOLD = {  # objects, the size stated -> what is told
    "1 annotations state no size": ([CAT], (0, 0)),
    "of 2 objects 1 are one pixel wide or high (a)": ([CAT, ("cat", 0, (5, 5, 5, 9))], (96, 64)),
    "of 1 objects 1 are difficult": ([("cat", 1, (5, 5, 5, 9))], (96, 64)),
    "1 images show no object (a)": ([], (96, 64)),
    "of 3 objects 1 are repetitions": ([CAT, ("dog", *CAT[1:]), CAT], (96, 64)),
}


@pytest.mark.parametrize("told", TOLD)
def test_what_is_odd_is_told_with_its_count(tmp_path, told):
    objects, (width, height) = TOLD[told]
    assert any(told in line for line in voc(beside(tmp_path, objects, "a", width=width, height=height)).reading)


def test_the_classes_are_those_of_a_list_beside_in_its_order(tmp_path):
    (beside(tmp_path, names="a") / "classes.txt").write_text("dog\ncat\n")
    found = voc(tmp_path)
    assert found.classes == ("dog", "cat") and any("classes.txt" in line for line in found.reading)
    assert voc(tmp_path, classes=["cat", "dog"]).classes == ("cat", "dog")


COCO_OBJECTS = [  # image, category, x, y, width, height, crowd
    (4, 90, [10, 10, 50, 40], 0),
    (4, 7, [0, 0, 96, 64], 0),
    (9, 90, [5, 7, 1, 1], 0),
    (9, 7, [20.25, 3.5, 30.5, 40.125], 0),
    (9, 90, [1, 2, 90, 60], 1),
    (2, 7, [3, 4, 5, 6], 0),
]


def write_coco(path, folder, objects=COCO_OBJECTS, ids=(9, 4, 2), **more):
    """A COCO JSON of images of 96 x 64 pixels, which are written to a folder; returns the JSON's path."""
    for number in ids:
        picture(folder / f"image {number}.jpg", number=number)
    images = [dict(id=i, file_name=f"image {i}.jpg", width=96, height=64) for i in ids]
    names = {90: ODD[0], 13: "nothing", 7: ODD[1]}
    things = [
        dict(id=number, image_id=image, category_id=category, bbox=box, iscrowd=crowd, area=box[2] * box[3])
        for number, (image, category, box, crowd) in enumerate(objects)
        if image in ids
    ]
    categories = [dict(id=i, name=name) for i, name in names.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(images=images, annotations=things, categories=categories) | more), "utf-8")
    return path


def test_an_xml_with_a_namespace_or_whole_numbers_as_decimals_is_read_as_without(tmp_path):
    beside(tmp_path / "plain", names=("a",))
    text = (beside(tmp_path / "odd", names=("a",)) / "a.xml").read_text()
    text = text.replace("<annotation>", '<annotation xmlns="http://x.org/voc">').replace("<width>96<", "<width>96.0<")
    (tmp_path / "odd/a.xml").write_text(text.replace("<difficult>0<", "<difficult>0.0<"))
    assert only(voc(tmp_path / "odd")) == only(voc(tmp_path / "plain")) != []
    (tmp_path / "odd/a.xml").write_text(text.replace("<width>96.0<", "<width>96.5<"))
    assert "<size/width> is 96.5, not a whole number" in voc(tmp_path / "odd").problems[0]


def test_annotations_that_name_no_class_are_a_problem(tmp_path):
    folder = beside(tmp_path / "own", objects=())
    with pytest.raises(ValueError, match="own shows no class; correct the annotations"):
        laid_out(folder, tmp_path / "data")


def test_images_of_a_coco_json_from_another_machine_are_found_by_name_in_the_folder_that_is_named(tmp_path):
    path = write_coco(tmp_path / "boxes.json", tmp_path / "photos", ids=[4])
    stated = json.loads(path.read_text())
    (entry,) = stated["images"]
    name = entry["file_name"]
    for far in (f"/home/me/project/{name}", f"C:\\Users\\me\\{name}"):
        entry["file_name"] = far
        path.write_text(json.dumps(stated))
        assert coco(path).problems and not coco(path, images="photos").problems
        assert len(coco(path, images="photos").samples) == 1


def test_boxes_of_coco_are_those_that_pycocotools_reads(tmp_path):
    found, theirs = coco(write_coco(tmp_path / "boxes.json", tmp_path)), COCO(tmp_path / "boxes.json")
    assert not found.problems and found.classes == (ODD[1], ODD[0])  # by id, without the one that has no object
    ours = {sample.image.name: sample.truth.objects for sample in found.samples}
    for image in theirs.loadImgs(theirs.getImgIds()):
        expected = theirs.loadAnns(theirs.getAnnIds(image["id"]))
        assert [each["name"] for each in ours[image["file_name"]]] == [
            theirs.cats[each["category_id"]]["name"] for each in expected
        ]
        for one, other in zip(ours[image["file_name"]], expected, strict=True):
            x1, y1, x2, y2 = one["bbox"]
            assert [x1, y1, x2 + 1 - x1, y2 + 1 - y1] == pytest.approx(other["bbox"])
            assert one["crowd"] == bool(other["iscrowd"])


def test_a_crowd_is_left_out_of_training_and_ignored_where_it_is_scored(tmp_path):
    crowd, single = [8, 90, [1, 2, 90, 60], 1], [8, 90, [5, 7, 1, 1], 0]
    for name in ("train", "val"):
        objects = [[1 if name == "train" else 2, *each[1:]] for each in (crowd, single)]
        folder = tmp_path / f"source/{name}2017"
        write_coco(tmp_path / f"source/annotations/instances_{name}2017.json", folder, objects, [objects[0][0]])
    facts = laid_out(tmp_path / "source", tmp_path / "data", "coco")
    assert facts.counts == {"train": 1, "val": 1} and any("2 are crowds" in line for line in facts.reading)
    train, val = (data_set(tmp_path / "data", facts.classes, listed) for listed in ("trainval", "test"))
    assert [each["bbox"] for each in train.get_data_info(0)["instances"]] == [[5, 7, 5, 7]]
    found = val.get_data_info(0)["instances"]
    assert [(each["bbox"], each["ignore_flag"]) for each in found] == [([1, 2, 90, 61], 1), ([5, 7, 5, 7], 0)]
    assert laid_out_boxes(tmp_path / "data", "val2017-image 2")[1] == (ODD[0], [6, 8, 6, 8])


COCO_LAYOUTS = {  # JSONs and folders of images, for training and scoring
    "COCO's own": ("annotations/instances_{}2017.json", "{}2017"),
    "COCO's own, in images": ("annotations/instances_{}2017.json", "images/{}2017"),
    "an export of Roboflow": ("{}/_annotations.coco.json", "{}"),
    "all images in one folder": ("{}.json", "images"),
}


@pytest.mark.parametrize(("path", "folder"), COCO_LAYOUTS.values(), ids=COCO_LAYOUTS)
def test_jsons_and_their_images_are_found_in_each_layout(tmp_path, path, folder):
    for name, ids in dict(train=[4, 9], val=[2], test=[5]).items():
        write_coco(tmp_path / path.format(name), tmp_path / folder.format(name), ids=ids)
    (tmp_path / "annotations").mkdir(exist_ok=True)
    found = coco(tmp_path)
    assert DETECTION.recognise(tmp_path) == "coco"
    assert {sample.image.name: sample.split for sample in found.samples} == {
        "image 4.jpg": "train",
        "image 9.jpg": "train",
        "image 2.jpg": "val",
    }
    assert not found.problems and found.reading[1].startswith("not read: set test")
    names = {name: path.format(name) for name in ("train", "test")}
    swapped = coco(tmp_path, train=names["test"], val=names["train"])
    assert [sample.image.name for sample in swapped.of("train")] == ["image 5.jpg"]


COCO_PROBLEMS = [
    (dict(objects=[(5, 90, [1, 1, 2, 2], 0)], ids=[4, 5]), "image 5.jpg", r"image 5\.jpg does not exist"),
    (dict(objects=[(4, 90, [1, 1, 0, 2], 0)]), None, r"\[1, 1, 0, 2\] of annotation 0 is empty or leaves"),
    (dict(objects=[(4, 90, [1, 1, -3, 2], 0)]), None, r"\[1, 1, -3, 2\] of annotation 0 is empty or leaves"),
    (dict(objects=[(4, 90, [90, 1, 9, 2], 0)]), None, r"image 4\.jpg: .*\[90, 1, 9, 2\].*bad_boxes='clip'"),
    (dict(objects=[(4, 55, [1, 1, 2, 2], 0)]), None, "annotation 0 is of category 55, which does not exist"),
    (dict(ids=[4, 4]), None, "image id 4 occurs 2 times"),
    (dict(categories=[dict(id=7, name="a"), dict(id=7, name="b")]), None, "category id 7 occurs 2 times"),
    (dict(images=[dict(id=4, file_name="image 4.jpg", width=64, height=60)]), None, r"image 4\.jpg: it states 64 x 60"),
    (dict(annotations=[dict(id=1, image_id=77, category_id=7, bbox=[1, 1, 2, 2])]), None, "is of image 77, which does"),
]


@pytest.mark.parametrize(("changes", "removed", "said"), COCO_PROBLEMS)
def test_what_is_wrong_in_a_coco_json_is_one_line_with_file_and_entry(tmp_path, changes, removed, said):
    write_coco(tmp_path / "boxes.json", tmp_path, **changes)
    if removed:
        (tmp_path / removed).unlink()
    found = coco(tmp_path)
    assert [line for line in found.problems if re.search(rf"boxes\.json: .*{said}|{said}", line)]
    assert "\n" not in "".join(found.problems)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "boxes.json is no JSON"),
        ("[]", "boxes.json is no COCO JSON of boxes"),
        ('{"images": [], "categories": []}', "boxes.json is no COCO JSON of boxes: annotations: Field required"),
        ('{"images": [{"id": 1}], "annotations": [], "categories": []}', "images.0.file_name: Field required"),
    ],
)
def test_another_json_is_refused_with_the_field_that_is_missing(tmp_path, text, said):
    (tmp_path / "boxes.json").write_text(text)
    with pytest.raises(ValueError, match=said):
        coco(tmp_path)


def test_two_jsons_that_are_no_sets_have_to_be_named(tmp_path):
    for name, ids in dict(old=[4], new=[9]).items():
        write_coco(tmp_path / f"{name}.json", tmp_path, ids=ids)
    with pytest.raises(ValueError, match="the sets are new, old; say which with train='...' and val='...'"):
        coco(tmp_path)
    found = coco(tmp_path, train="old", val="new")
    assert [sample.image.name for sample in found.of("val")] == ["image 9.jpg"]


def test_a_path_as_windows_writes_it_is_found(tmp_path):
    images = [dict(id=4, file_name="photos\\image 4.jpg", width=96, height=64)]
    write_coco(tmp_path / "boxes.json", tmp_path / "photos", ids=[4], images=images)
    assert [sample.name for sample in coco(tmp_path).samples] == ["image 4"]


def test_boxes_narrower_than_a_pixel_have_one_and_images_in_no_json_are_told(tmp_path):
    write_coco(tmp_path / "boxes.json", tmp_path, [(4, 90, [95.5, 3.61, 0.25, 0.96], 0)], [4])
    picture(tmp_path / "other.jpg")
    found = coco(tmp_path)
    assert only(found) == [(ODD[0], 0, [95.5, 3.61, 95.5, 3.61])]
    assert "1 images are in no JSON that is read: other.jpg" in found.reading


def test_categories_of_one_name_are_one_class_which_is_told(tmp_path):
    objects = [(4, 1, [0, 0, 9, 9], 0), (4, 3, [9, 9, 9, 9], 0)]
    write_coco(tmp_path / "boxes.json", tmp_path, objects, [4], categories=[dict(id=i, name="car") for i in (1, 3)])
    found = coco(tmp_path)
    assert found.classes == ("car",) and len(only(found)) == 2
    assert f"{tmp_path}/boxes.json: categories 1, 3 are all called 'car', and are one class" in found.reading


@pytest.mark.slow
@pytest.mark.parametrize("form", ["voc", "coco"])
def test_a_set_with_odd_class_names_is_trained_on_and_scored(tmp_path, form):
    """In COCO's, a fifth of the images shows a crowd only: nothing to train on, and nothing to score."""
    objects = [(ODD[0], 0, (11, 11, 60, 50)), (ODD[1], 0, (1, 1, 96, 64))]
    beside(tmp_path / "voc", objects, [f"Straße {i}" for i in range(24)])
    things = [(i, 90 if i % 2 else 7, [4, 5, 60, 40], int(i % 5 == 0)) for i in range(24)]
    write_coco(tmp_path / "coco/boxes.json", tmp_path / "coco", things, range(24))
    path = tmp_path / "streets.py"
    path.write_text(f'base = "smoke"\ndetection = dict(source=dict(folder={form!r}, format={form!r}))\n')
    toy_card(tmp_path / "work/streets/resnet50_baseline/seed0", name="resnet50_baseline", tier="streets")
    words = ["detection", "resnet50_baseline", "--tier", str(path)]
    done = subprocess.run([sys.executable, TRAIN, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (result,) = tmp_path.glob("work/streets/resnet50_baseline/seed0/detection/metrics.json")
    stored = json.loads(result.read_text("utf-8"))
    assert stored["config"]["val_dataloader"]["dataset"]["metainfo"]["classes"] == sorted(ODD)
    assert 0 <= stored["metrics"]["map_voc07"] <= 100


def test_a_real_annotation_keeps_its_box_of_one_pixel():
    folder = Path(__file__).parent / "annotations"
    stated = [
        (each.findtext("name"), *(int(each.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")))
        for each in ET.parse(folder / "BloodImage_00338.xml").iter("object")
    ]
    found = voc(folder, first_pixel=1, unannotated="drop")
    (sample,) = found.samples
    read = [(each["name"], *(side + 1 for side in each["bbox"])) for each in sample.truth.objects]
    assert read == stated and ("RBC", 504, 337, 504, 337) in read
    assert (sample.truth.width, sample.truth.height) == Image.open(sample.image).size
    assert set(found.classes) == {name for name, *_ in stated} and not found.problems
    assert f"of {len(stated)} objects 1 are one pixel wide or high (BloodImage_00338)" in found.reading


def test_a_stray_json_or_xml_beside_class_folders_is_no_detection_data(tmp_path):
    """As Flowers 102's cat_to_name.json."""
    picture(tmp_path / "train/roses/1.jpg")
    (tmp_path / "cat_to_name.json").write_text('{"21": "fire lily"}')
    (tmp_path / "project.xml").write_text("<project></project>")
    assert DETECTION.recognise(tmp_path) is None


def test_lists_of_sets_in_other_places_are_told_as_not_read(tmp_path):
    (beside(tmp_path) / "train.txt").write_text("a\n")
    write_lists(tmp_path, train="a", val="b")
    (tmp_path / "ImageSets/Segmentation").mkdir()
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text("a\n")
    told = [line for line in voc(tmp_path).reading if "not read" in line]
    assert told == ["not read, as lists of sets are those in ImageSets/Main: train.txt"]


@pytest.mark.parametrize("orientation", [2, 3, 4, 6])
def test_check_counts_all_images_whose_exif_asks_for_another_picture(tmp_path, orientation):
    orient(picture(tmp_path / "a.jpg"), orientation)
    samples = [Sample("a", tmp_path / "a.jpg", None), Sample("b", picture(tmp_path / "b.jpg"), None)]
    (line,) = sizes(samples)
    assert "; EXIF turns 1 (a), which are read as stored" in line


def test_an_image_of_more_pixels_than_pillow_reads_leaves_the_report_of_the_others(tmp_path, monkeypatch):
    large = picture(tmp_path / "a.jpg", (96, 64))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 96 * 64 // 4)
    samples = [Sample("a", large, None), Sample("b", picture(tmp_path / "b.jpg", (30, 20)), None)]
    assert sizes(samples)[0].startswith("short side 20 to 20 px")
