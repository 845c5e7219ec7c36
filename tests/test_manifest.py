"""A manifest lists every file, notices each change, and lies where it can be written."""

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from trick_transfer.engine import manifest
from trick_transfer.engine.manifest import manifest_digest, manifest_path, update_manifest


@pytest.fixture
def root(photos, tmp_path):
    return shutil.copytree(photos, tmp_path / "copy", ignore=shutil.ignore_patterns("manifest*"))


@pytest.fixture
def hashed(monkeypatch):
    """The names of the files that are hashed from now on."""
    names = []

    def note(path):
        names.append(Path(path).name)
        return sha256(Path(path).read_bytes()).hexdigest()

    monkeypatch.setattr(manifest, "file_sha256", note)
    return names


def test_sha256sum_finds_every_file_as_the_manifest_says(root):
    (root / ".hidden").write_text("no data")
    Path(os.fsdecode(os.fsencode(root) + b"/k\xe4tzchen.jpg")).write_text("a name that is not UTF-8")
    digest = update_manifest(root)
    check = subprocess.run(["sha256sum", "-c", "manifest.sha256"], cwd=root, capture_output=True, check=True)
    listed = {line.removesuffix(b": OK") for line in check.stdout.splitlines()}
    assert listed == {os.fsencode(path.relative_to(root)) for path in root.rglob("*.jpg")}
    assert digest == manifest_digest(root) == sha256((root / "manifest.sha256").read_bytes()).hexdigest()
    assert update_manifest(root) == digest  # the manifest is not part of itself


def test_another_pixel_is_another_manifest_even_if_the_file_keeps_its_name_size_and_mtime(root, capsys):
    before = update_manifest(root)
    path = next(root.rglob("*.jpg"))
    status, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert update_manifest(root) != before
    assert "1 files differ from manifest.sha256" in capsys.readouterr().err


def test_only_what_may_have_changed_is_hashed_again(root, hashed):
    update_manifest(root)
    os.utime(root / manifest.MANIFEST, ns=(2**62, 2**62))  # so that all is older
    hashed.clear()
    (root / "new.jpg").write_bytes(b"new")
    update_manifest(root)
    assert "new.jpg" in hashed and not {path.name for path in root.rglob("train/*/*.jpg")} & {*hashed}


@pytest.mark.parametrize("change", ["a file more", "a file less", "another folder of the same names"])
def test_other_names_or_folders_are_noticed(root, tmp_path, change):
    before = update_manifest(root)
    folder = root / "val/class3"
    if change == "a file more":
        (folder / "new.jpg").write_bytes(b"new")
    elif change == "a file less":
        next(folder.iterdir()).unlink()
    else:
        other = tmp_path / "other"
        other.mkdir()
        for path in folder.iterdir():
            (other / path.name).write_bytes(b"other")
        folder.rename(tmp_path / "away")
        other.rename(folder)
    assert update_manifest(root) != before


@pytest.mark.parametrize("depth", ["train", "train/class1"])
def test_links_to_folders_are_followed_and_a_loop_ends(root, tmp_path, depth):
    linked = tmp_path / "linked"
    (linked / depth).parent.mkdir(parents=True)
    (linked / depth).symlink_to(root / depth)
    (root / depth / "back").symlink_to(root / depth)
    update_manifest(linked)
    expected = {f"{depth}/{path.relative_to(root / depth)}" for path in (root / depth).rglob("*.jpg")}
    assert {line.split("  ")[1] for line in (linked / "manifest.sha256").read_text().splitlines()} == expected != set()


def test_a_link_to_another_folder_is_another_manifest(root, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "image.jpg").write_text(name)
    link = root / "train/link"
    link.symlink_to(tmp_path / "one")
    before = update_manifest(root)
    link.unlink()
    link.symlink_to(tmp_path / "two")
    assert update_manifest(root) != before


def test_a_folder_without_files_is_an_error_that_names_it(tmp_path):
    (tmp_path / "empty/train").mkdir(parents=True)
    os.mkfifo(tmp_path / "empty/train/pipe.jpg")  # no file: reading it would wait for ever
    with pytest.raises(FileNotFoundError, match="/empty holds no file"):
        update_manifest(tmp_path / "empty")


def test_the_manifest_of_a_folder_that_cannot_be_written_is_in_the_cache_folder(root, tmp_path, monkeypatch):
    expected = update_manifest(root)
    (root / manifest.MANIFEST).unlink()
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert update_manifest(root) == manifest_digest(root) == expected
    assert manifest_path(root).is_relative_to(tmp_path / "cache/trick-transfer")
    assert not (root / manifest.MANIFEST).exists()


def test_where_no_manifest_can_be_written_the_folders_and_the_fix_are_named(root, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(OSError, match=f"manifest of {root} .*{tmp_path}/cache/.*XDG_CACHE_HOME") as error:
        update_manifest(root)
    assert ".part" not in str(error.value)


def test_a_missing_manifest_is_named_with_the_command_that_writes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"manifest\.sha256 .*tools/data\.py check"):
        manifest_digest(tmp_path)
