"""tools/data.py and its checks: intact data pass, problems are listed with their files, nothing is downloaded twice."""

import hashlib
import os
import re
import sys
import tarfile
from collections import Counter

import numpy as np
import pytest
import toy_ade20k
import toy_voc
from archive_server import serving
from exif import orient
from PIL import Image

from classification.data import Folder, Unlabelled, list_images
from detection.layout import Voc
from segmentation.layout import Ade
from trick_transfer.command_line import tool
from trick_transfer.commands import data
from trick_transfer.data_sets import sources
from trick_transfer.data_sets.check import check, summary
from trick_transfer.data_sets.sources import DATA_SETS, Archive, DataSet, Part
from trick_transfer.engine.manifest import MANIFEST

FOLDERS = DataSet((Part((Folder("train", 20, 10),)), Part((Folder("val", 11, 10),))))
SETS = (("VOC2007", "trainval"), ("VOC2007", "test"), ("VOC2012", "trainval"))
VOC = DataSet((Part(tuple(Voc(*names, 4, toy_voc.CLASSES) for names in SETS)),))
ADE = DataSet((Part((Ade("training", 4, 3), Ade("validation", 3, 3))),))


@pytest.fixture
def folders(photos, tmp_path):
    for path in photos.rglob("*.jpg"):
        copy = tmp_path / "folders" / path.relative_to(photos)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return tmp_path / "folders"


@pytest.fixture
def voc(tmp_path):
    return toy_voc.write_voc(tmp_path / "voc")


@pytest.fixture
def ade(tmp_path):
    return toy_ade20k.make(tmp_path / "ade")


def truncate(path):
    path.write_bytes(path.read_bytes()[:-300])


def write_mask(path, shape, value):
    Image.fromarray(np.full(shape, value, np.uint8)).save(path)


def test_intact_data_pass_and_are_summarised(folders, voc, ade, capsys):
    assert check(FOLDERS, folders) == check(VOC, voc) == check(ADE, ade) == []
    lines = [line for line in capsys.readouterr().out.splitlines() if " images; " in line]
    each = ", ".join(f"class{number} 2" for number in range(10))
    assert lines[0] == f"train: 20 of 20 images; 10 classes: {each}; empty: none"
    assert lines[1].startswith("val: 11 of 11 images; 10 classes: class0 2, class1 1, ")
    assert lines[2] == "VOC2007 trainval: 4 of 4 images; 1 classes: cat 4; empty: bird"
    assert lines[5] == "training: 4 of 4 images; 3 classes: 1 4, 2 4, 3 4; empty: none"


def test_many_classes_are_summarised_by_their_spread():
    counts = Counter({f"class{number}": 1 + number for number in range(21)})
    assert summary(FOLDERS.parts[0].splits[0], 231, counts).endswith(
        "; 21 classes, each 1 to 21 times (median 11); empty: none"
    )


def test_problems_of_class_folders_are_listed(folders):
    truncate(folders / "train/class3/03.jpg")
    (folders / "train/class4/04.jpg").write_text("a page that says 404")
    (folders / "train/class5/05.jpg").unlink()
    for path in (folders / "val/class7").iterdir():
        path.unlink()
    (folders / "val/class7").rmdir()
    for path in (folders / "train/class2").iterdir():
        path.unlink()
    for path in (folders / "val/class8").iterdir():
        truncate(path)
    found = check(FOLDERS, folders)
    patterns = [
        r".*/train: 17.* 20",
        r".*/train/class2 .*",
        r".*/train/class3/03\.jpg .*truncated.*",
        r".*/train/class4/04\.jpg .*not an image.*",
        r"classes in .*/val: 9.* 10",
        r"images in .*/val: 10.* 11",
        r".*/val/class8/28\.jpg .*truncated.*",
        r".*/val .*class7.*",
    ]
    assert len(found) == len(patterns)
    for line, pattern in zip(found, patterns, strict=True):
        assert re.fullmatch(pattern, line)


def test_a_missing_split_is_one_line(folders):
    (folders / "val").rename(folders / "validation")
    (found,) = check(FOLDERS, folders)
    assert f"{folders}/val " in found


def test_unlabelled_images_are_counted_and_decoded(folders, capsys):
    (folders / "test").mkdir()
    for path in (folders / "val").glob("*/*.jpg"):
        path.rename(folders / "test" / f"{path.parent.name}-{path.name}")
    unlabelled = DataSet((Part((Unlabelled("test", 11),)),))
    assert check(unlabelled, folders) == []
    assert "test: 11 of 11 images, without labels\n" in capsys.readouterr().out
    bad, gone = sorted((folders / "test").iterdir())[:2]
    truncate(bad)
    gone.unlink()
    count, truncated = check(unlabelled, folders)
    assert re.fullmatch(r".*/test: 10.* 11", count) and truncated.startswith(f"{bad} ")
    (nothing,) = check(unlabelled, folders / "val")
    assert nothing.startswith(f"{folders}/val/test ")


def test_problems_of_voc_are_listed(voc):
    base = voc / "VOCdevkit/VOC2007"
    objects = {
        "trainval_0": [("cat", 0, (11, 11, 97, 50))],
        "trainval_1": [("unicorn", 0, (1, 1, 9, 9))],
        "test_0": [("cat", 0, (50, 11, 11, 50))],
    }
    for name, wrong in objects.items():
        (base / "Annotations" / f"{name}.xml").write_text(toy_voc.xml(wrong))
    (base / "Annotations/trainval_2.xml").write_text(toy_voc.xml([], width=64, height=96))
    (base / "Annotations/trainval_3.xml").unlink()
    truncate(base / "JPEGImages/test_1.jpg")
    (voc / "VOCdevkit/VOC2012/ImageSets/Main/trainval.txt").unlink()
    patterns = [
        r".*Annotations/trainval_3\.xml .*Main/trainval\.txt.*",
        r".*trainval_0\.xml.*\(11, 11, 97, 50\).*96 x 64.*",
        r".*trainval_1\.xml.*'unicorn'.*",
        r".*trainval_2\.xml: .*64 x 96.*",
        r".*test_0\.xml.*\(50, 11, 11, 50\).*",
        r".*test_1\.jpg .*truncated.*",
        r".*VOC2012/ImageSets/Main/trainval\.txt .*",
    ]
    found = check(VOC, voc)
    assert len(found) == len(patterns)
    for line, pattern in zip(found, patterns, strict=True):
        assert re.fullmatch(pattern, line)


def test_images_that_exif_turns_pass_unless_their_annotation_has_another_size(folders, voc, ade):
    for root in (folders, voc, ade):
        for jpeg in root.rglob("*.jpg"):
            orient(jpeg, 6)
    assert check(VOC, voc) == check(ADE, ade) == []
    xml = voc / "VOCdevkit/VOC2007/Annotations/test_2.xml"
    xml.write_text(toy_voc.xml([("cat", 0, (1, 60, 64, 96))], width=64, height=96))  # of the displayed image
    assert check(VOC, voc) == []
    xml.write_text(toy_voc.xml([("cat", 0, (1, 1, 9, 9))], width=64, height=95))
    (problem,) = check(VOC, voc)
    assert re.fullmatch(r".*test_2\.xml: .*64 x 95.*96 x 64.* EXIF .*64 x 96; .*", problem)


def test_problems_of_ade20k_are_listed(ade):
    base = ade / "ADEChallengeData2016"
    write_mask(base / "annotations/training/0000.png", (48, 72), 4)
    write_mask(base / "annotations/training/0001.png", (48, 72), 1)  # its image is 48 x 96
    (base / "annotations/training/0002.png").unlink()
    truncate(base / "images/training/0003.jpg")
    (base / "images/validation/0002.jpg").unlink()
    patterns = [
        r".*images/training/0002\.jpg .*mask",
        r".*training/0000\.png .*4.*0 to 3",
        r".*training/0001\.png .*48 x 72.*48 x 96.*",
        r".*training/0003\.jpg .*truncated.*",
        r".*images/validation: 2.* 3",
        r".*annotations/validation/0002\.png .*image",
    ]
    found = check(ADE, ade)
    assert len(found) == len(patterns)
    for line, pattern in zip(found, patterns, strict=True):
        assert re.fullmatch(pattern, line)


def run(monkeypatch, *words):
    """The tool's exit code."""
    monkeypatch.setattr(sys, "argv", ["tools/data.py", *map(str, words)])
    return tool(data.main)


def damage(jpeg):
    """Put noise of its size into a JPEG and zero a quarter of the bytes; its end stays."""
    noise = np.random.default_rng(0).integers(0, 256, Image.open(jpeg).size[::-1], np.uint8)
    Image.fromarray(noise).save(jpeg)
    content = bytearray(jpeg.read_bytes())
    middle, quarter = len(content) // 2, len(content) // 4
    content[middle : middle + quarter] = bytes(quarter)
    jpeg.write_bytes(content)


def test_a_jpeg_damaged_inside_is_named_in_every_layout(folders, voc, ade):
    for facts, root in ((FOLDERS, folders), (VOC, voc), (ADE, ade)):
        jpeg = sorted(root.rglob("*.jpg"))[0]
        damage(jpeg)
        (problem,) = check(facts, root)
        assert problem.startswith(f"{jpeg} is damaged inside (Corrupt JPEG data: ")


@pytest.mark.parametrize("marker", [b"\xff\xe1\x00\x06junk", b"junk"])
def test_odd_bytes_in_a_jpegs_header_are_no_damage(folders, marker):
    jpeg = next(folders.rglob("*.jpg"))
    content = jpeg.read_bytes()
    start = content.index(b"\xff\xdb")  # the first quantisation table
    jpeg.write_bytes(content[:start] + marker + content[start:])
    assert check(FOLDERS, folders) == []


def test_pipes_and_hidden_folders_are_no_images_and_no_classes(folders):
    for split in ("train", "val"):
        hidden = folders / split / ".ipynb_checkpoints"
        hidden.mkdir()
        (hidden / "copy.jpg").write_bytes(next(folders.rglob("*.jpg")).read_bytes())
    os.mkfifo(folders / "train/class1/pipe.jpg")  # reading it would wait for ever
    assert check(FOLDERS, folders) == []
    assert list_images(folders, "val")[0] == [f"class{i}" for i in range(10)]


def test_an_image_of_too_many_pixels_is_one_line_and_the_others_are_looked_at(voc, monkeypatch):
    jpegs = voc / "VOCdevkit/VOC2007/JPEGImages"
    Image.new("L", (300, 300)).save(jpegs / "test_0.jpg")
    truncate(jpegs / "test_1.jpg")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40_000)
    many, truncated = check(VOC, voc)
    assert f"{jpegs}/test_0.jpg has more than 80,000 pixels" in many
    assert "test_1.jpg" in truncated


def test_a_header_that_claims_more_pixels_than_opencv_reads_is_one_line(folders):
    jpeg = next(folders.rglob("*.jpg"))
    content = bytearray(jpeg.read_bytes())
    sizes = content.index(b"\xff\xc0") + 5  # after marker, length and precision: height and width
    content[sizes : sizes + 4] = (60_000).to_bytes(2, "big") * 2
    jpeg.write_bytes(content)
    (problem,) = check(FOLDERS, folders)
    assert problem.startswith(f"{jpeg} ") and "\n" not in problem


def test_own_data_are_checked_but_for_counts_and_classes(voc, ade, monkeypatch, capsys):
    assert run(monkeypatch, "check", "voc0712", "--root", voc) == 1
    assert f"{voc} is not the published data set; --own checks " in capsys.readouterr().out
    assert run(monkeypatch, "check", "voc0712", "--own", "--root", voc) == 0
    assert "VOC2007 test: 4 images; 1 classes" in capsys.readouterr().out and (voc / MANIFEST).is_file()
    assert run(monkeypatch, "check", "ade20k", "--own", "--root", ade) == 0
    truncate(next(ade.rglob("*.jpg")))
    assert run(monkeypatch, "check", "ade20k", "--own", "--root", ade) == 1


@pytest.mark.parametrize("split", [split for facts in DATA_SETS.values() for split in facts.splits], ids=str)
def test_made_up_data_have_several_sizes_and_both_orientations(split, tmp_path):
    split.make_up(tmp_path)
    sizes = {Image.open(path).size for path in images_below(tmp_path)}
    assert len(sizes) >= 3 and {width > height for width, height in sizes} == {True, False}


def images_below(folder):
    """One name of each image, as some are links."""
    return {path.stat().st_ino: path for path in folder.rglob("*.jpg")}.values()


def test_the_manifest_is_written_once_and_later_changes_are_reported(ade, monkeypatch, capsys):
    monkeypatch.setitem(DATA_SETS, "ade20k", ADE)
    image = ade / "ADEChallengeData2016/images/training/0000.jpg"
    whole = image.read_bytes()
    image.write_bytes(whole[:-300])
    assert run(monkeypatch, "check", "ade20k", "--root", ade) == 1
    assert not (ade / MANIFEST).exists()
    image.write_bytes(whole)
    assert run(monkeypatch, "check", "ade20k", "--root", ade) == 0
    manifest = (ade / MANIFEST).read_bytes()
    assert hashlib.sha256(whole).hexdigest().encode() + b"  ADEChallengeData2016/images/training/0000.jpg\n" in manifest
    assert hashlib.sha256(manifest).hexdigest() in capsys.readouterr().out

    other = ade / "ADEChallengeData2016/images/training/0001.jpg"
    image.write_bytes(other.read_bytes()[:2] + whole[2:-2] + b"\0" + whole[-2:])  # still intact
    (ade / "notes.txt").write_text("new")
    assert run(monkeypatch, "check", "ade20k", "--root", ade) == 1
    out = capsys.readouterr().out
    assert f"{image} changed" in out and f"{ade / 'notes.txt'} is new" in out
    assert "2 problems" in out and (ade / MANIFEST).read_bytes() == manifest
    image.unlink()
    assert run(monkeypatch, "check", "ade20k", "--root", ade) == 1
    assert f"{image} is gone" in capsys.readouterr().out


def test_a_missing_folder_ends_with_exit_code_2_and_the_command_that_makes_it(tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, "check", "voc0712", "--root", tmp_path / "voc") == 2
    assert re.search(r"/voc .*tools/data\.py prepare", capsys.readouterr().err)


@pytest.fixture
def served(voc, tmp_path, monkeypatch):
    """VOC as two archives on a server: VOC2007 and VOC2012."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as server:
        parts = []
        for year in ("VOC2007", "VOC2012"):
            path = tmp_path / f"{year}.tar"
            with tarfile.open(path, "w") as archive:
                archive.add(voc / "VOCdevkit" / year, f"VOCdevkit/{year}")
            server.files[path.name] = path.read_bytes()
            splits = tuple(split for split in VOC.splits if split.year == year)
            checksum = "md5:" + hashlib.md5(path.read_bytes()).hexdigest()
            parts.append(Part(splits, (Archive(path.name, checksum, server.address),)))
        monkeypatch.setitem(DATA_SETS, "voc0712", DataSet(tuple(parts), "the terms"))
        yield server


def test_data_are_fetched_unpacked_and_checked_and_nothing_twice(served, tmp_path, monkeypatch, capsys):
    root = tmp_path / "new" / "voc0712"
    assert run(monkeypatch, "prepare", "voc0712", "--root", root) == 0
    assert "the terms" in capsys.readouterr().out and len(served.ranges) == 2
    assert run(monkeypatch, "check", "voc0712", "--root", root) == 0
    listed = (root / MANIFEST).read_text()
    assert "archives" not in listed and len(listed.splitlines()) == 3 * (4 + 4 + 1)
    for archive in (tmp_path / "new" / "archives").iterdir():
        archive.unlink()
    assert run(monkeypatch, "prepare", "voc0712", "--root", root) == 0  # needs none of them
    out = capsys.readouterr().out
    assert "the terms" not in out and f"{root}: VOC2012 trainval complete" in out and len(served.ranges) == 2
    (root / "VOCdevkit/VOC2012/JPEGImages/trainval_1.jpg").unlink()
    assert run(monkeypatch, "prepare", "voc0712", "--root", root) == 0
    assert len(served.ranges) == 3 and "VOC2012.tar: 1 files unpacked" in capsys.readouterr().out


def test_an_archive_that_lacks_files_is_refused(served, tmp_path, monkeypatch, capsys):
    """A tar cut between two files reads like a whole one; here its checksum is that of the cut one."""
    with tarfile.open(tmp_path / "short.tar", "w") as archive:
        archive.add(tmp_path / "voc/VOCdevkit/VOC2012/ImageSets", "VOCdevkit/VOC2012/ImageSets")
    content = (tmp_path / "short.tar").read_bytes()
    served.files["short.tar"] = content
    archive = Archive("short.tar", "md5:" + hashlib.md5(content).hexdigest(), served.address)
    monkeypatch.setitem(DATA_SETS, "voc0712", DataSet((Part(VOC.splits[2:], (archive,)),)))
    assert run(monkeypatch, "prepare", "voc0712", "--root", tmp_path / "new/voc0712") == 2
    err = capsys.readouterr().err
    assert re.search(r"short\.tar .*trainval_0\.xml .*7 more", err)


def test_the_steps_to_get_imagenet_by_hand_are_printed(tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, "prepare", "imagenet1k", "--root", tmp_path / "in", "--archives", tmp_path / "here") == 2
    out, err = capsys.readouterr()
    assert "https://image-net.org/" in out and "ILSVRC2012_devkit_t12.tar.gz" in out and str(tmp_path / "here") in out
    assert err.startswith(f"error: {tmp_path / 'here' / 'ILSVRC2012_img_train.tar'} ")


def test_two_processes_do_not_prepare_the_same_data(served, tmp_path, monkeypatch, capsys):
    from trick_transfer.engine.claim import alone

    with alone(tmp_path / "voc0712"):
        assert run(monkeypatch, "prepare", "voc0712", "--root", tmp_path / "voc0712") == 2
    assert str(tmp_path / "voc0712") in capsys.readouterr().err and not served.ranges


def test_checksums_addresses_and_classes_are_torchvisions():
    from torchvision.datasets import Places365, imagenet, voc
    from torchvision.models._meta import _VOC_CATEGORIES

    ours = {a.name: a for one in DATA_SETS.values() for part in one.parts for a in part.archives}
    for name, md5 in imagenet.ARCHIVE_META.values():
        assert ours.pop(name) == Archive(name, f"md5:{md5}")
    for year in ("2007", "2007-test", "2012"):
        about = voc.DATASET_YEAR_DICT[year]
        found = ours.pop(about["filename"])
        assert (found.checksum, found.url) == (f"md5:{about['md5']}", about["url"])
    images = [Places365._IMAGES_META[split, True] for split in ("train-standard", "val", "test")]
    for name, md5 in (Places365._DEVKIT_META["standard"], *images):
        found = ours.pop(name)
        assert (found.checksum, found.url) == (f"md5:{md5}", Places365._BASE_URL + name)
    assert list(ours) == ["tiny-imagenet-200.zip", "ADEChallengeData2016.zip"]
    assert list(sources.VOC_CLASSES) == _VOC_CATEGORIES[1:]


def test_own_masks_with_values_that_no_class_can_have_are_named(ade):
    """Such as Cityscapes' instanceIds, in 16 bits."""
    (path, *_) = sorted((ade / "ADEChallengeData2016/annotations/training").glob("*.png"))
    height, width = np.asarray(Image.open(path)).shape
    Image.fromarray(np.full((height, width), 26_002, np.uint16)).save(path)
    assert check(DATA_SETS["ade20k"].own(), ade) == [
        f"mask {path} holds 26002; classes are 0 to 255, as a byte holds them"
    ]
