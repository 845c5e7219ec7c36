"""VOC is read strictly, with difficult objects as truths in training and ignored in evaluation."""

import re

import numpy as np
import pytest
import torch
from exif import orient
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image, ImageOps
from protocols import load
from toy_voc import CLASSES, shrink, write_voc, xml

from detection.annotation import read_annotation
from detection.data import VOC
from detection.layout import read_list
from detection.stage import DETECTION
from trick_transfer.engine import images

HARD = (("cat", 0, (11, 11, 60, 50)), ("bird", 1, (1, 1, 96, 64)))


def read(root, test_mode=False, transforms=(), **options):
    init_default_scope("mmdet")
    return VOC(
        data_root=str(root),
        ann_file="VOCdevkit/VOC2007/ImageSets/Main/trainval.txt",
        data_prefix=dict(sub_data_root="VOCdevkit/VOC2007"),
        metainfo=dict(classes=CLASSES),
        pipeline=[
            dict(type="detection.LoadImage"),
            dict(type="LoadAnnotations", with_bbox=True),
            *transforms,
            dict(type="PackDetInputs"),
        ],
        test_mode=test_mode,
        **options,
    )


def spoil(root, folder, name, content):
    (root / "VOCdevkit/VOC2007" / folder / name).write_bytes(content)


def test_difficult_objects_are_truths_in_training(tmp_path):
    truth = read(write_voc(tmp_path, HARD))[0]["data_samples"]
    assert truth.gt_instances.labels.tolist() == [1, 0] and len(truth.ignored_instances) == 0


def test_difficult_objects_are_ignored_in_evaluation(tmp_path):
    truth = read(write_voc(tmp_path, HARD), test_mode=True)[0]["data_samples"]
    assert truth.gt_instances.labels.tolist() == [1] and truth.ignored_instances.labels.tolist() == [0]


def test_boxes_count_from_zero_and_small_or_fractional_ones_stay(tmp_path):
    boxes = ((1, 1, 3, 4), (45.7, 2, 60, 64))
    truth = read(write_voc(tmp_path, [("cat", 0, b) for b in ((1, 1, 3, 4), (46, 2, 60, 64))]))
    assert truth[0]["data_samples"].gt_instances.bboxes.tensor[0].tolist() == [0, 0, 2, 3]
    path = tmp_path / "fraction.xml"
    path.write_text(xml([("cat", 0, b) for b in boxes]))
    assert read_annotation(path, CLASSES).objects[1]["bbox"] == pytest.approx([44.7, 1, 59, 63])


@pytest.mark.parametrize("box", [(0, 1, 9, 9), (1, 1, 97, 9), (1, 1, 9, 65), (9, 1, 8, 9)])
def test_a_box_outside_its_image_or_empty_names_the_file_and_is_left_out_if_asked(tmp_path, box):
    write_voc(tmp_path)
    spoil(tmp_path, "Annotations", "trainval_2.xml", xml([("cat", 0, box), ("bird", 0, (1, 1, 96, 64))]).encode())
    with pytest.raises(ValueError, match=r"trainval_2\.xml.*96 x 64.*bad_boxes='drop'"):
        read(tmp_path)
    assert read(tmp_path, bad_boxes="drop")[2]["data_samples"].gt_instances.labels.tolist() == [0]
    with pytest.raises(ValueError, match="bad_boxes 'skip' does not exist"):
        read(tmp_path, bad_boxes="skip")


@pytest.mark.parametrize(
    ("box", "clipped"),
    [((0, 1, 9, 9), [0, 0, 8, 8]), ((-7, 1, 97, 70), [0, 0, 95, 63]), ((9, 1, 8, 9), None), ((98, 1, 99, 9), None)],
)
def test_a_bad_box_is_cut_at_the_border_if_asked_and_left_out_if_nothing_remains(tmp_path, box, clipped):
    write_voc(tmp_path)
    spoil(tmp_path, "Annotations", "trainval_2.xml", xml([("cat", 0, box), ("bird", 0, (1, 1, 96, 64))]).encode())
    boxes = read(tmp_path, bad_boxes="clip")[2]["data_samples"].gt_instances.bboxes.tensor.tolist()
    assert boxes == [*([clipped] if clipped else []), [0, 0, 95, 63]]


def test_all_bad_boxes_of_all_files_are_told_at_once(tmp_path):
    write_voc(tmp_path, images=6)
    bad = xml([("cat", 0, (9, 1, 8, 9)), ("cat", 0, (1, 1, 97, 9))]).encode()
    for i in range(5):
        spoil(tmp_path, "Annotations", f"trainval_{i}.xml", bad)
    with pytest.raises(ValueError, match=r"\(9, 1, 8, 9\).*\(1, 1, 97, 9\).*trainval_1.*trainval_2") as error:
        read(tmp_path)
    assert "(and 2 more)" in str(error.value) and "\n" not in str(error.value)


def test_a_box_whose_corners_are_equal_is_one_pixel(tmp_path):
    """As VOC counts. In training it has a width, as the losses take its log; in evaluation it is as stated."""
    write_voc(tmp_path, [("cat", 0, (9, 1, 9, 9)), ("cat", 0, (5, 7, 5, 7))])
    boxes = read(tmp_path)[0]["data_samples"].gt_instances.bboxes.tensor
    assert boxes.tolist() == [[7.5, 0, 8.5, 8], [3.5, 5.5, 4.5, 6.5]]
    boxes = read(tmp_path, test_mode=True)[0]["data_samples"].gt_instances.bboxes.tensor
    assert boxes.tolist() == [[8, 0, 8, 8], [4, 6, 4, 6]]


def test_a_second_box_in_one_object_is_named(tmp_path):
    path = tmp_path / "one.xml"
    path.write_text(xml([("cat", 0, (1, 1, 9, 9))]).replace("</object>", "<bndbox></bndbox></object>"))
    with pytest.raises(ValueError, match=r"one\.xml: an <object> has 2 <bndbox>; .*of its own"):
        read_annotation(path, CLASSES)


def test_boxes_of_an_objects_parts_are_not_its_own(tmp_path):
    part = "<part><name>head</name><bndbox><xmin>2</xmin></bndbox></part></object>"
    path = tmp_path / "one.xml"
    path.write_text(xml([("cat", 0, (1, 1, 9, 9))]).replace("</object>", part))
    assert [found["bbox"] for found in read_annotation(path, CLASSES).objects] == [[0, 0, 8, 8]]


def test_a_test_set_without_an_object_that_counts_is_refused(tmp_path):
    write_voc(tmp_path, [("cat", 1, (1, 1, 9, 9))])  # difficult ones are ignored
    assert len(read(tmp_path)) == 4
    with pytest.raises(ValueError, match=r"Main/trainval\.txt has an object that counts"):
        read(tmp_path, test_mode=True)


def lists(root, content):
    path = root / "VOCdevkit/VOC2007/ImageSets/Main/trainval.txt"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_names_in_a_list_may_have_spaces_and_any_unicode_encoding(tmp_path, encoding):
    names = ["my cat 1", "Kätzchen"]
    path = lists(write_voc(tmp_path), "\r\n".join([*names, ""]).encode(encoding))
    assert read_list(path) == names


def test_a_list_in_another_encoding_is_named(tmp_path):
    path = lists(write_voc(tmp_path), "Kätzchen\n".encode("latin-1"))
    with pytest.raises(ValueError, match=f"{path} is not UTF-8"):
        read_list(path)


def test_an_image_that_a_list_names_twice_is_named(tmp_path):
    path = lists(write_voc(tmp_path), b"trainval_0\ntrainval_1\ntrainval_0\n")
    with pytest.raises(ValueError, match=f"{path} names 1 images more than once, such as trainval_0"):
        read(tmp_path)


@pytest.mark.parametrize("suffix", [".JPG", ".jpeg", ".png"])
def test_images_of_any_suffix_are_read(tmp_path, suffix):
    jpeg = write_voc(tmp_path) / "VOCdevkit/VOC2007/JPEGImages/trainval_1.jpg"
    Image.open(jpeg).save(jpeg.with_suffix(suffix))
    jpeg.unlink()
    assert read(tmp_path).get_data_info(1)["img_path"] == str(jpeg.with_suffix(suffix))


def test_an_image_of_too_many_pixels_is_named_and_left_out_only_if_asked(tmp_path, monkeypatch):
    write_voc(tmp_path)
    Image.new("L", (300, 300)).save(tmp_path / "VOCdevkit/VOC2007/JPEGImages/trainval_1.jpg")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40_000)  # Pillow's own: 89 million; twice as many are an error
    with pytest.raises(ValueError, match=r"trainval_1\.jpg has more than 80,000 pixels"):
        read(tmp_path)
    assert len(read(tmp_path, skip_broken=True)) == 3


def test_each_header_is_read_once(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(images, "stored_px", lambda path: opened.append(path) or (96, 64))
    read(write_voc(tmp_path))
    assert len(opened) == 4


@pytest.mark.parametrize("classes", [1, 3])
def test_a_head_of_another_number_of_classes_than_the_datas_is_refused(tmp_path, classes):
    cfg = shrink(load(None, data_root=tmp_path))
    DETECTION.check(cfg)
    cfg.model.roi_head.bbox_head.num_classes = classes
    with pytest.raises(ValueError, match=rf"2 classes, the model {classes} .*bbox_head\.num_classes"):
        DETECTION.check(cfg)


@pytest.mark.parametrize(
    ("content", "message"),
    [(xml([("zebra", 0, (1, 1, 9, 9))]), "'zebra'"), ("<annotation>", "no element|unclosed")],
)
def test_an_unknown_label_or_a_truncated_xml_names_the_file(tmp_path, content, message):
    write_voc(tmp_path)
    spoil(tmp_path, "Annotations", "trainval_1.xml", content.encode())
    with pytest.raises(ValueError, match=rf"trainval_1\.xml.*({message})"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("field", "instead", "named"),
    [
        ("<xmin>1</xmin>", "", "<bndbox/xmin>"),
        ("<ymax>9</ymax>", "<ymax>nine</ymax>", "<bndbox/ymax> .*'nine'"),
        ("<difficult>0</difficult>", "<difficult> </difficult>", "<difficult>"),
        ("<width>96</width>", "", "<size/width>"),
    ],
)
def test_a_field_that_is_not_a_number_is_named_with_its_file(tmp_path, field, instead, named):
    path = tmp_path / "one.xml"
    path.write_text(xml([("cat", 0, (1, 1, 9, 9))]).replace(field, instead))
    with pytest.raises(ValueError, match=rf"one\.xml: {named}"):
        read_annotation(path, CLASSES)


def test_a_missing_xml_is_named(tmp_path):
    write_voc(tmp_path)
    (tmp_path / "VOCdevkit/VOC2007/Annotations/trainval_3.xml").unlink()
    with pytest.raises(ValueError, match=r"trainval_3\.xml"):
        read(tmp_path)


def test_a_truncated_jpeg_is_named_and_left_out_only_if_asked(tmp_path):
    write_voc(tmp_path)
    jpeg = tmp_path / "VOCdevkit/VOC2007/JPEGImages/trainval_0.jpg"
    jpeg.write_bytes(jpeg.read_bytes()[:-300])
    with pytest.raises(ValueError, match=r"trainval_0\.jpg .*skip_broken=True"):
        read(tmp_path)
    assert len(read(tmp_path, skip_broken=True)) == 3


def test_a_file_that_only_ends_like_a_jpeg_is_named_too(tmp_path):
    write_voc(tmp_path)
    spoil(tmp_path, "JPEGImages", "trainval_0.jpg", b"no image at all\xff\xd9")
    with pytest.raises(ValueError, match=r"trainval_0\.jpg .*skip_broken=True"):
        read(tmp_path)
    assert len(read(tmp_path, skip_broken=True)) == 3


def test_an_xml_of_another_size_than_its_jpeg_is_named(tmp_path):
    write_voc(tmp_path)
    spoil(tmp_path, "Annotations", "trainval_2.xml", xml([("cat", 0, (1, 1, 9, 90))], width=64, height=96).encode())
    with pytest.raises(ValueError, match=r"trainval_2\.xml: .*64 x 96.*96 x 64;"):
        read(tmp_path)


def turn_by_exif(root, orientation, annotation=None):
    """Give every JPEG of 2007 an EXIF orientation, and every XML these words; returns the first image as stored."""
    base = root / "VOCdevkit/VOC2007"
    stored = {jpeg.stem: orient(jpeg, orientation) for jpeg in (base / "JPEGImages").iterdir()}
    for name in stored if annotation else ():
        (base / f"Annotations/{name}.xml").write_text(annotation)
    return stored["trainval_0"]


def assert_shows(found, expected):
    """Whether a sample is this picture, up to two decoders' rounding."""
    rgb = found["inputs"].numpy()[::-1].transpose(1, 2, 0).astype(int)
    np.testing.assert_allclose(rgb, np.asarray(expected), atol=3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_xml_of_the_stored_size_goes_with_the_stored_pixels(tmp_path, orientation):
    stored = turn_by_exif(write_voc(tmp_path), orientation)
    found = read(tmp_path)[0]
    assert_shows(found, stored)
    assert found["data_samples"].gt_instances.bboxes.tensor[0].tolist() == [10, 10, 59, 49]


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_an_xml_of_the_displayed_size_goes_with_the_pixels_that_exif_turns(tmp_path, orientation):
    objects = xml([("cat", 0, (5, 60, 40, 96))], width=64, height=96)
    stored = turn_by_exif(write_voc(tmp_path), orientation, objects)
    found = read(tmp_path)[0]
    assert_shows(found, ImageOps.exif_transpose(stored))
    assert found["data_samples"].gt_instances.bboxes.tensor[0].tolist() == [4, 59, 39, 95]
    assert found["data_samples"].ori_shape == (96, 64)


def test_without_a_size_in_the_xml_the_stored_pixels_count(tmp_path):
    objects = re.sub("<size>.*</size>", "", xml([("cat", 0, (5, 6, 96, 64))]))
    stored = turn_by_exif(write_voc(tmp_path), 6, objects)
    assert_shows(read(tmp_path)[0], stored)


def test_a_size_that_is_neither_the_stored_nor_the_displayed_one_names_exif(tmp_path):
    turn_by_exif(write_voc(tmp_path), 6, xml([("cat", 0, (1, 1, 9, 9))], width=60, height=64))
    with pytest.raises(ValueError, match=r"trainval_0\.xml: .*60 x 64.*96 x 64.* EXIF .*64 x 96"):
        read(tmp_path)


def extent(found):
    """First and last column and row of the bright, red object in a sample."""
    columns, rows = ((found["inputs"][2] > 140).any(axis).nonzero().ravel() for axis in (0, 1))
    return [int(v) for v in (columns[0], rows[0], columns[-1], rows[-1])]


@pytest.mark.parametrize("box", [(11, 11, 60, 50), (1, 1, 8, 64), (90, 60, 96, 64), (41, 17, 48, 32)])
def test_a_flipped_box_covers_exactly_the_flipped_pixels(tmp_path, box):
    write_voc(tmp_path, [("cat", 0, box)])
    for transforms in ((), [dict(type="detection.FlipPixels", prob=1.0)]):
        found = read(tmp_path, transforms=transforms)[0]
        assert found["data_samples"].gt_instances.bboxes.tensor[0].tolist() == extent(found)
    xmin, _, xmax, _ = box  # VOC's, from 1: the mirrored column of x is 97 - x, from 0 it is 96 - x
    assert [extent(found)[0], extent(found)[2]] == [96 - xmax, 96 - xmin]


FLIPS = [
    ("faster_rcnn_voc", "detection.FlipPixels", [96 - 60, 96 - 11]),  # x of VOC, from 1; from 0: 95 - (x - 1)
    ("faster_rcnn_fpn_voc", "detection.FlipPixels", [96 - 60, 96 - 11]),
    ("faster_rcnn_voc_authors", "RandomFlip", [96 - 59, 96 - 10]),  # 96 - (x - 1): one pixel to the right
]


@pytest.mark.parametrize(("protocol", "flip", "sides"), FLIPS)
def test_the_protocols_flip_the_stored_pixels_and_resize_afterwards(tmp_path, protocol, flip, sides):
    cfg = load(None, protocol, data_root=write_voc(tmp_path))
    voc, voc12 = cfg.train_dataloader.dataset.dataset.datasets
    assert voc.pipeline == voc12.pipeline
    types = [step.type for step in voc.pipeline]
    assert types == ["detection.LoadImage", "LoadAnnotations", flip, "Resize", "PackDetInputs"]
    voc.pipeline[2].prob, voc.pipeline[3].scale = 1.0, (1000, 128)
    voc.pop("type")
    voc.metainfo = dict(classes=CLASSES)
    init_default_scope("mmdet")
    box = VOC(**voc)[0]["data_samples"].gt_instances.bboxes.tensor[0]
    assert box.tolist() == [2 * side for side in (sides[0], 10, sides[1], 49)]


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(tmp_path):
    write_voc(tmp_path)
    jpeg = tmp_path / "VOCdevkit/VOC2007/JPEGImages/trainval_0.jpg"
    jpeg.write_bytes(jpeg.read_bytes() + b"camera notes")
    assert len(read(tmp_path)) == 4


def test_missing_or_empty_data_is_one_line_with_folder_and_layout(tmp_path):
    cfg: Config = load(None, data_root=tmp_path)
    with pytest.raises(FileNotFoundError, match=r"trainval\.txt .*JPEGImages") as error:
        DETECTION.check_data(cfg)
    assert "\n" not in str(error.value) and str(tmp_path) in str(error.value)
    DETECTION.check_data(load(None, data_root=write_voc(tmp_path)))
    names = tmp_path / "VOCdevkit/VOC2007/ImageSets/Main/test.txt"
    kept = names.read_text()
    names.write_text(" \n\n")
    with pytest.raises(FileNotFoundError, match=r"Main/test\.txt"):
        DETECTION.check_data(cfg)
    names.write_text(kept)
    for image in (tmp_path / "VOCdevkit/VOC2012/JPEGImages").iterdir():
        image.unlink()
    with pytest.raises(FileNotFoundError, match="VOC2012/JPEGImages"):
        DETECTION.check_data(cfg)


def test_images_are_read_as_uint8_bgr_and_resized_to_short_600_long_1000(tmp_path):
    cfg = load(None, data_root=write_voc(tmp_path))
    dataset = cfg.val_dataloader.dataset
    init_default_scope("mmdet")
    dataset.pop("type")
    dataset.metainfo = dict(classes=CLASSES)
    item = VOC(**dataset)[0]
    assert item["inputs"].shape == (3, 600, 900) and item["inputs"].dtype == torch.uint8
    # truths stay on the original's pixels, where the detections are scored
    assert item["data_samples"].gt_instances.bboxes.tensor[0].tolist() == [10, 10, 59, 49]
