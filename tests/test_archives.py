"""Class folders in .tar and .zip are what they would be if they were unpacked, and nothing is unpacked."""

import os
import shutil
import sys
import tarfile
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from classification.data import Folder, ImageFolder, list_images
from classification.stage import CLASSIFICATION
from trick_transfer.commands import data
from trick_transfer.engine import archives
from trick_transfer.engine.images import decode, images_in, inspect, is_whole, stored_px
from trick_transfer.engine.manifest import data_files, read_manifest, update_manifest
from trick_transfer.own_data.prepare import prepared
from trick_transfer.own_data.source import Source


def tar(folder, path, prefix=""):
    with tarfile.open(path, "w") as file:
        for each in sorted(folder.rglob("*")):
            file.add(each, prefix + each.relative_to(folder).as_posix(), recursive=False)
    return path


def zipped(folder, path, kind, prefix=""):
    with ZipFile(path, "w", kind) as file:
        for each in sorted(folder.rglob("*")):
            file.write(each, prefix + each.relative_to(folder).as_posix())
    return path


def tars_in_a_tar(folder, path):
    parts = path.with_suffix("")
    for each in sorted(folder.glob("*/*")):
        (parts / each.parent.name).mkdir(parents=True, exist_ok=True)
        tar(each, parts / each.parent.name / f"{each.name}.tar")
    return tar(parts, path)


def two_tars(folder, path):
    path.mkdir()
    for split in ("train", "val"):
        tar(folder / split, path / f"{split}.tar", prefix=f"./{split}/")
    return path


WAYS = {
    "tar": lambda folder, home: tar(folder, home / "p.tar"),
    "in a folder": lambda folder, home: tar(folder, home / "p.tar", prefix="./flowers/"),
    "stored": lambda folder, home: zipped(folder, home / "p.zip", ZIP_STORED),
    "deflated": lambda folder, home: zipped(folder, home / "P.ZIP", ZIP_DEFLATED, prefix="flowers/"),
    "tars in a tar": lambda folder, home: tars_in_a_tar(folder, home / "p.tar"),
    "two tars": lambda folder, home: two_tars(folder, home / "p"),
}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Where each member lies is kept here."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def folder(photos, tmp_path_factory):
    """`photos` without what others wrote into it; hidden files are no images."""
    folder = tmp_path_factory.mktemp("plain") / "photos"
    shutil.copytree(photos, folder, ignore=shutil.ignore_patterns("manifest*", ".*"))
    for split in ("train", "val"):
        (folder / split / "class0" / "._1.jpg").write_text("a Mac's")
    return folder


@pytest.fixture(scope="module", params=WAYS)
def packed(request, folder, tmp_path_factory):
    return WAYS[request.param](folder, tmp_path_factory.mktemp("packed"))


def source(path):
    return Source.of(CLASSIFICATION, dict(folder=str(path), format="folders", duplicates="keep"), "test", Path())


def test_an_archive_is_recognised_and_laid_out_as_its_folder_would_be(packed, folder):
    assert CLASSIFICATION.recognise(packed) == "folders"
    plain, found = (prepared(CLASSIFICATION, source(each), Path(name)) for each, name in ((folder, "a"), (packed, "b")))
    assert (found.classes, found.counts) == (plain.classes, plain.counts)
    for root in (Path("a"), Path("b")):
        update_manifest(root)
    assert read_manifest(Path("b")) == read_manifest(Path("a")), "equal names, and equal bytes"
    assert prepared(CLASSIFICATION, source(packed), Path("b")) == found, "done already"


def test_it_is_trained_on_in_several_workers(packed, folder):
    prepared(CLASSIFICATION, source(packed), Path("b"))
    shutil.rmtree("unpacked", ignore_errors=True)
    crop = dict(type="center", size_px=32, shorter_px=40)
    plain, found = (ImageFolder(str(root), "train", 10, crop) for root in (folder, "b"))
    assert plain.labels.tolist() == found.labels.tolist()
    batches = [torch.cat([batch["inputs"] for batch in DataLoader(each, 3, num_workers=2)]) for each in (plain, found)]
    assert torch.equal(*batches)


def test_a_known_data_sets_folder_may_hold_an_archive_a_split(folder, tmp_path):
    root = two_tars(folder, tmp_path / "imagenet")
    (plain, found) = (list_images(each, "train") for each in (folder, root))
    assert found[0] == plain[0] and found[2].tolist() == plain[2].tolist()
    for one, other in zip(found[1], plain[1], strict=True):
        np.testing.assert_array_equal(inspect(one), decode(other))
        assert stored_px(one) == stored_px(other) and is_whole(one)
    assert Folder("train", 20, 10).samples(root)[1] == [] and len(Folder("train", 20, 10).labels(root)) == 10
    assert sorted(data_files(root)) == ["train.tar", "val.tar"]


def test_where_members_lie_is_found_out_once_and_again_after_a_change(folder, tmp_path, monkeypatch):
    path = tar(folder, tmp_path / "p.tar")
    found = archives.stored_index(str(path))
    with monkeypatch.context() as patch:
        patch.setattr(archives, "scan", lambda path: pytest.fail("it is kept"))
        assert archives.stored_index(str(path)) == found
    tar(folder / "val", path)
    assert archives.stored_index(str(path)) != found
    (archives.cache_of(path) / archives.INDEX).write_text("{}")
    assert len(images_in(path / "class1")) == 1, "a broken index is found out anew"


def test_check_says_how_an_archive_is_read_and_names_what_is_broken_in_it(folder, tmp_path, monkeypatch, capsys):
    broken = shutil.copytree(folder, tmp_path / "broken")
    victim = next(broken.glob("train/class3/*.jpg"))
    victim.write_bytes(victim.read_bytes()[:-40])
    path = tar(broken, tmp_path / "mine.tar")
    monkeypatch.setattr(sys, "argv", ["data", "check", str(path)])
    assert data.main() == 1
    said = capsys.readouterr().out
    assert f"train: class folders in {path}/train" in said and "10 classes" in said
    assert f"{path}/train/class3/{victim.name} is a truncated JPEG" in said and "not an image" not in said
    assert Path("work/sheets/mine_classification.png").is_file()


def cut(path):
    path.write_bytes(path.read_bytes()[:-20_000])
    return path


def cut_between_files(path):
    with tarfile.open(path) as file:
        third = file.getmembers()[2]
    os.truncate(path, third.offset)
    return path


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda folder, home: cut(tar(folder, home / "a.tar")), "a.tar is no whole tar archive"),
        (lambda folder, home: cut_between_files(tar(folder, home / "a.tar")), "the zeros at its end are missing"),
        (lambda folder, home: cut(zipped(folder, home / "a.zip", ZIP_STORED)), "a.zip is no whole zip archive"),
        (lambda folder, home: zipped(folder, home / "a.zip", ZIP_BZIP2), "another way than deflate"),
        (lambda folder, home: Path(shutil.copy(folder / "val/class1/21.jpg", home / "a.tar")), "no whole tar"),
        (lambda folder, home: tar(folder, home / "a.tar").rename(home / "a.tar.gz"), "make it a plain .tar"),
    ],
)
def test_an_archive_that_cannot_be_read_alone_is_refused_in_one_line(folder, tmp_path, make, named):
    path = make(folder, tmp_path)
    with pytest.raises(ValueError, match=named) as refused:
        CLASSIFICATION.recognise(path) and source(path).read(CLASSIFICATION)
    assert "\n" not in str(refused.value)


def test_names_that_lead_out_of_an_archive_are_left_out(tmp_path):
    (tmp_path / "x").write_text("x")
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        for name in ("../up", "/abs/olute", "a/../b", "./c/./d", "c/d", ".hidden/e"):
            info = tarfile.TarInfo(name)
            info.size = 1
            file.addfile(info, (tmp_path / "x").open("rb"))
    assert archives.files_below(tmp_path / "a.tar")[0] == ["abs/olute", "c/d"]
    with pytest.raises(FileNotFoundError):
        archives.read(tmp_path / "a.tar" / "up")


def test_an_archive_that_is_cut_after_its_index_was_made_names_the_image(folder, tmp_path):
    path = tar(folder, tmp_path / "a.tar")
    archive, name = archives.inside(images_in(path / "val/class1")[0])
    os.truncate(path, archive.members[name].offset + 10)
    with pytest.raises(ValueError, match=f"{name} is damaged: it is cut"):
        archive.read(name)
