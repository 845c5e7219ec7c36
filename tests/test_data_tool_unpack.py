"""Unpacking: every file at its place, or an error that names what is wrong; nothing outside, and no half file."""

import io
import os
import resource
import tarfile
import zipfile

import numpy as np
import pytest
import scipy.io

from trick_transfer.data_sets.placing import (
    imagenet_train,
    imagenet_val,
    places_test,
    places_train,
    places_val,
    tiny_imagenet,
)
from trick_transfer.data_sets.unpack import read, unpack

FILES = {"top/a.txt": b"a" * 20_000, "top/deep/b.txt": b"b", "top/empty.txt": b""}


def tar(path, files, links=()):
    """A tar, with its folders as members of their own; a link is (name, type, target)."""
    members = [(folder, tarfile.DIRTYPE, "", b"") for folder in sorted({n.split("/")[0] for n in files if "/" in n})]
    members += [(name, tarfile.REGTYPE, "", content) for name, content in files.items()]
    members += [(*link, b"") for link in links]
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, kind, target, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, target, len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def zipped(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("top/", b"")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def pack(path, files):
    return zipped(path, files) if path.suffix == ".zip" else tar(path, files)


def tree(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def same(name):
    return name


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
def test_every_file_goes_where_it_belongs_and_nothing_is_written_twice(tmp_path, name):
    archive = pack(tmp_path / name, FILES)
    place = lambda path: path.replace("top/", "data/")  # noqa: E731
    assert unpack(archive, tmp_path / "root", place) == 3
    assert tree(tmp_path / "root") == {path.replace("top/", "data/"): content for path, content in FILES.items()}
    (tmp_path / "root/data/deep/b.txt").unlink()
    assert unpack(archive, tmp_path / "root", place) == 1
    assert unpack(archive, tmp_path / "root", place) == 0


@pytest.mark.parametrize("name", ["a.tar", "a.zip"])
@pytest.mark.parametrize("evil", ["../evil", "top/../../evil", "{outside}/evil"])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path, name, evil):
    evil = evil.format(outside=tmp_path)
    archive = pack(tmp_path / name, {evil: b"evil"})
    with pytest.raises(ValueError, match=rf"{name} .*evil'"):
        unpack(archive, tmp_path / "root", same)
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", [".._evil", "/evil_1", "..", ".", "a\0b"])
def test_a_path_that_leaves_the_folder_only_at_its_place_is_refused(tmp_path, name):
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tape:  # a plain tar ends a name at \0
        info = tarfile.TarInfo(name)
        info.size, info.pax_headers = 4, {"path": name}
        tape.addfile(info, io.BytesIO(b"evil"))
    with pytest.raises(ValueError, match=r"a\.tar .*outside its folder"):
        unpack(archive, tmp_path / "root", imagenet_train([archive]))
    assert os.listdir(tmp_path) == ["a.tar"]


def test_a_file_that_the_archives_lists_do_not_name_is_refused(tmp_path):
    images = tar(tmp_path / "val.tar", {"ILSVRC2012_val_00000099.JPEG": b"1"})
    place = imagenet_val([images, devkit(tmp_path / "devkit.tar.gz")])
    with pytest.raises(ValueError, match=r"val\.tar .*00000099.JPEG', which its lists do not name"):
        unpack(images, tmp_path / "root", place)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    """A link to a folder, then a file through it, is how a tar gets out without any '..' in its paths."""
    archive = tar(tmp_path / "a.tar", {}, links=[("top/way_out", kind, str(tmp_path))])
    with pytest.raises(ValueError, match=r"a\.tar .*'top/way_out'"):
        unpack(archive, tmp_path / "root", same)
    assert not (tmp_path / "root").exists()


def test_links_in_a_zip_are_refused(tmp_path):
    info = zipfile.ZipInfo("top/way_out")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, str(tmp_path))
    with pytest.raises(ValueError, match=r"a\.zip .*'top/way_out'"):
        unpack(tmp_path / "a.zip", tmp_path / "root", same)


@pytest.mark.parametrize("depth", [2, 2000])
def test_tars_within_tars_are_unpacked_one_level_deep_and_no_deeper(tmp_path, depth):
    content = tar(tmp_path / "one.tar", {"n01440764_1.JPEG": b"1"}).read_bytes()
    for _ in range(depth):
        header = tarfile.TarInfo("more.tar")
        header.size = len(content)
        content = header.tobuf() + content + bytes(-len(content) % 512)
    (tmp_path / "a.tar").write_bytes(content + bytes(1024))
    with pytest.raises(ValueError, match=r"a\.tar .*'more\.tar'"):
        unpack(tmp_path / "a.tar", tmp_path / "root", same)
    assert not (tmp_path / "root").exists()


def test_a_sparse_file_is_refused_since_it_may_claim_any_size(tmp_path):
    header = tarfile.TarInfo("huge")
    header.type = tarfile.GNUTYPE_SPARSE
    content = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    content[483:495] = b"%011o\0" % (1 << 32)  # the size that is claimed; of data there is none
    content[148:156] = b"%06o\0 " % (sum(content[:148]) + sum(content[156:512]) + 8 * 32)
    (tmp_path / "a.tar").write_bytes(content + bytes(1024))
    with pytest.raises(ValueError, match=r"a\.tar .*'huge'"):
        unpack(tmp_path / "a.tar", tmp_path / "root", same)


def lying_tar(path):
    """It claims a gigabyte and holds a block."""
    header = tarfile.TarInfo("top/a.txt")
    header.size = 1 << 30
    path.write_bytes(header.tobuf() + b"a" * 512)


def lying_zip(path, stated):
    zipped(path, FILES)
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\1\2", content.index(b"PK\1\2") + 1) + 24  # of the first file: before it is a folder
    content[place : place + 4] = stated.to_bytes(4, "little")
    path.write_bytes(content)


@pytest.mark.parametrize("lie", [lying_tar, lambda path: lying_zip(path, 100), lambda path: lying_zip(path, 1 << 30)])
def test_an_archive_that_lies_about_its_size_is_refused(tmp_path, lie):
    path = tmp_path / ("a.tar" if lie is lying_tar else "a.zip")
    lie(path)
    with pytest.raises(ValueError, match=rf"{path.name} .*prepare again"):
        unpack(path, tmp_path / "root", same)
    assert not tree(tmp_path / "root")


def encrypted(content):
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1


def unknown(content):
    content[8] = content[content.index(b"PK\1\2") + 10] = 99


def broken(content):
    content[45:60] = bytes(15)


@pytest.mark.parametrize(
    ("method", "change"),
    [
        (zipfile.ZIP_STORED, encrypted),
        (zipfile.ZIP_STORED, unknown),
        *((method, broken) for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)),
    ],
)
def test_what_a_zip_cannot_be_read_by_is_one_line(tmp_path, method, change):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.txt", b"text " * 99)
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.zip .*prepare again") as caught:
        unpack(path, tmp_path / "root", same)
    assert "\n" not in str(caught.value) and not tree(tmp_path / "root")


def test_a_flipped_bit_anywhere_in_a_compressed_tar_is_found_and_nothing_unpacked(tmp_path):
    random = np.random.default_rng(0)
    content = tar(tmp_path / "a.tar.gz", {"top/a.bin": random.bytes(3000)}).read_bytes()
    for place in (0, 50, 1500, len(content) - 40, len(content) - 8, len(content) - 1):
        (tmp_path / "a.tar.gz").write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        with pytest.raises(ValueError, match=r"a\.tar\.gz .*prepare again"):
            unpack(tmp_path / "a.tar.gz", tmp_path / "root", same)
        with pytest.raises(ValueError, match=r"a\.tar\.gz .*prepare again"):
            read(tmp_path / "a.tar.gz", {"a.bin"})
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
@pytest.mark.parametrize("keep", [0, 5, 0.5])
def test_a_truncated_archive_is_an_error_and_leaves_no_partial_file(tmp_path, name, keep):
    content = pack(tmp_path / name, FILES).read_bytes()
    (tmp_path / name).write_bytes(content[: int(keep * len(content)) if keep < 1 else keep])
    with pytest.raises(ValueError, match=rf"{name} .*prepare again"):
        unpack(tmp_path / name, tmp_path / "root", same)
    assert not (tmp_path / "root").exists() or not tree(tmp_path / "root")


def test_a_flipped_bit_in_a_zip_is_found(tmp_path):
    content = bytearray(zipped(tmp_path / "a.zip", FILES).read_bytes())
    content[content.index(b"aaaa") + 2] ^= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.zip .*CRC-32"):
        unpack(tmp_path / "a.zip", tmp_path / "root", same)
    assert not tree(tmp_path / "root")


def test_a_full_disk_leaves_no_partial_file_and_unpacking_continues_later(tmp_path):
    archive = tar(tmp_path / "a.tar", {"top/b.txt": b"b"} | FILES)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # the kernel refuses the 10,001st byte of a file
    try:
        with pytest.raises(OSError, match=r"top/a\.txt .*File too large"):
            unpack(archive, tmp_path / "root", same)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert tree(tmp_path / "root") == {"top/b.txt": b"b"}
    assert unpack(archive, tmp_path / "root", same) == 3


def devkit(path):
    """Two classes and their parent, with the fields and types of ImageNet's meta.mat."""
    fields = ["ILSVRC2012_ID", "WNID", "words", "gloss", "num_children", "children", "wordnet_height", "num_images"]
    synsets = np.array(
        [
            (1, "n02119789", "kit fox, Vulpes macrotis", "a fox", 0, [], 0, 1300),
            (2, "n01440764", "tench, Tinca tinca", "a fish", 0, [], 0, 1300),
            (3, "n00001740", "entity", "anything", 2, [1, 2], 1, 0),
        ],
        dtype=[(field, object) for field in fields],
    )
    mat = io.BytesIO()
    scipy.io.savemat(mat, {"synsets": synsets})
    truth = b"2\n1\n2\n"
    names = ("meta.mat", "ILSVRC2012_validation_ground_truth.txt")
    return tar(
        path, {f"ILSVRC2012_devkit_t12/data/{n}": c for n, c in zip(names, (mat.getvalue(), truth), strict=True)}
    )


def test_imagenet_lies_as_torchvision_unpacks_it(tmp_path, monkeypatch):
    from torchvision.datasets import imagenet

    names = dict(train="ILSVRC2012_img_train.tar", val="ILSVRC2012_img_val.tar", devkit="ILSVRC2012_devkit_t12.tar.gz")
    paths = {key: tmp_path / name for key, name in names.items()}
    inner = {}
    for wnid in ("n01440764", "n02119789"):
        one = tar(tmp_path / "one.tar", {f"{wnid}_{i}.JPEG": b"%d" % i for i in (3, 7)})
        inner[f"{wnid}.tar"] = one.read_bytes()
    tar(paths["train"], inner)
    tar(paths["val"], {f"ILSVRC2012_val_{i:08d}.JPEG": b"v%d" % i for i in (1, 2, 3)})
    devkit(paths["devkit"])
    assert unpack(paths["train"], tmp_path / "ours", imagenet_train([paths["train"]])) == 4
    assert unpack(paths["val"], tmp_path / "ours", imagenet_val([paths["val"], paths["devkit"]])) == 3

    monkeypatch.setattr(imagenet, "_verify_archive", lambda *about: None)
    imagenet.parse_devkit_archive(tmp_path)
    imagenet.parse_train_archive(tmp_path)
    imagenet.parse_val_archive(tmp_path)
    for split in ("train", "val"):
        assert tree(tmp_path / "ours" / split) == tree(tmp_path / split)


def test_places_has_torchvisions_labels(tmp_path, monkeypatch):
    from torchvision.datasets import Places365

    categories = b"/a/airfield 0\n/b/bakery/shop 1\n/b/bakery_kitchen 2\n"
    lists = {
        "categories_places365.txt": categories,
        "places365_train_standard.txt": b"/a/airfield/00000001.jpg 0\n/b/bakery/shop/00000001.jpg 1\n",
        "places365_val.txt": b"Places365_val_00000001.jpg 1\nPlaces365_val_00000002.jpg 2\n",
    }
    filelist = tar(tmp_path / "filelist.tar", lists)
    train = tar(
        tmp_path / "train.tar", {f"data_256{n}": n.encode() for n in ("/a/airfield/1.jpg", "/b/bakery/shop/1.jpg")}
    )
    images = {f"val_256/Places365_val_0000000{i}.jpg": b"%d" % i for i in (1, 2)}
    unpack(train, tmp_path / "ours", places_train([train]))
    val = tar(tmp_path / "val.tar", images)
    unpack(val, tmp_path / "ours", places_val([val, filelist]))
    test = tar(tmp_path / "test.tar", {"test_256/Places365_test_00000001.jpg": b"3"})
    unpack(test, tmp_path / "ours", places_test([test]))

    for name, content in lists.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(Places365, "_check_integrity", lambda *about: True)
    theirs = Places365(tmp_path, "val", small=True)
    folders = sorted(["airfield", "bakery-shop", "bakery_kitchen"])  # the readers' order
    expected = {f"val/{folders[label]}/{os.path.basename(path)}" for path, label in theirs.imgs}
    found = tree(tmp_path / "ours")
    assert {path for path in found if path.startswith("val/")} == expected
    assert found["test/Places365_test_00000001.jpg"] == b"3"
    assert found["train/airfield/1.jpg"] == b"/a/airfield/1.jpg"
    assert found["train/bakery-shop/1.jpg"] == b"/b/bakery/shop/1.jpg"


def test_tiny_imagenets_photographs_go_into_class_folders_as_the_list_of_its_validation_set_says(tmp_path):
    top = "tiny-imagenet-200"
    files = {f"{top}/train/n01443537/images/n01443537_0.JPEG": b"fish", f"{top}/val/images/val_0.JPEG": b"scored"}
    files |= {f"{top}/val/images/val_1.JPEG": b"other", f"{top}/test/images/test_0.JPEG": b"unlabelled"}
    files |= {f"{top}/train/n01443537/n01443537_boxes.txt": b"", f"{top}/wnids.txt": b"n01443537\nn03444034\n"}
    rows = "val_0.JPEG\tn03444034\t0\t32\t44\t62\nval_1.JPEG\tn01443537\t1\t2\t3\t4\n"
    files |= {f"{top}/val/val_annotations.txt": rows.encode()}
    path = zipped(tmp_path / "tiny-imagenet-200.zip", files)
    unpack(path, tmp_path / "root", tiny_imagenet([path]))
    images = {name: content for name, content in tree(tmp_path / "root").items() if name.endswith(".JPEG")}
    assert images == {
        "train/n01443537/n01443537_0.JPEG": b"fish",
        "val/n03444034/val_0.JPEG": b"scored",
        "val/n01443537/val_1.JPEG": b"other",
        "test/test_0.JPEG": b"unlabelled",
    }
