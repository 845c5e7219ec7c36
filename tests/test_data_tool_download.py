"""Archives from the web: whole under their own name, or not at all, whatever the net, the server and the disk do."""

import errno
import hashlib
import os
import random
import resource
import shutil
from types import SimpleNamespace

import pytest
from archive_server import serving

from trick_transfer.data_sets import download
from trick_transfer.data_sets.download import fetch
from trick_transfer.data_sets.sources import Archive

CONTENT = random.Random(0).randbytes(50_000)
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "WAIT_SECONDS", 0.0)
    with serving() as found:
        found.files["a.tar"] = CONTENT
        yield found


def archive(server, checksum=MD5):
    return Archive("a.tar", checksum, server.address)


def assert_whole(folder):
    assert (folder / "a.tar").read_bytes() == CONTENT and os.listdir(folder) == ["a.tar"]


@pytest.mark.parametrize("checksum", [MD5, "sha256:" + hashlib.sha256(CONTENT).hexdigest()])
def test_a_download_arrives_whole_and_only_once(server, tmp_path, checksum):
    for _ in range(2):
        assert fetch(archive(server, checksum), tmp_path / "new") == tmp_path / "new" / "a.tar"
        assert_whole(tmp_path / "new")
    assert server.ranges == [None]


def test_an_interrupted_download_resumes(server, tmp_path):
    server.faults = [dict(bytes=20_000), dict(bytes=10_000)]
    fetch(archive(server), tmp_path)
    assert_whole(tmp_path)
    assert server.ranges == [None, "bytes=20000-", "bytes=30000-"]


def test_the_download_of_a_killed_process_resumes(server, tmp_path):
    (tmp_path / "a.tar.part").write_bytes(CONTENT[:12_345])
    fetch(archive(server), tmp_path)
    assert_whole(tmp_path)
    assert server.ranges == ["bytes=12345-"]


def test_a_server_without_ranges_sends_all_of_it_again(server, tmp_path):
    server.faults = [dict(bytes=20_000), dict(ranges=False)]
    fetch(archive(server), tmp_path)
    assert_whole(tmp_path)


@pytest.mark.parametrize("extra, ranges", [(b"", ["bytes=50000-"]), (b"more", ["bytes=50004-", None])])
def test_a_complete_part_is_used_and_one_too_long_is_downloaded_again(server, tmp_path, extra, ranges):
    (tmp_path / "a.tar.part").write_bytes(CONTENT + extra)
    fetch(archive(server), tmp_path)
    assert_whole(tmp_path)
    assert server.ranges == ranges


def test_a_failing_server_is_asked_again(server, tmp_path):
    server.faults = [dict(status=503), dict(status=500), dict(bytes=1), dict(status=429)]
    fetch(archive(server), tmp_path)
    assert_whole(tmp_path)


def test_a_silent_server_is_asked_again(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.1)
    server.faults = [dict(silent=True)]
    fetch(archive(server), tmp_path)
    assert_whole(tmp_path)


def test_received_bytes_are_kept_when_a_server_keeps_failing(server, tmp_path):
    server.faults = [dict(bytes=20_000)] + [dict(status=503)] * 20
    with pytest.raises(OSError, match=r"a\.tar: .*503.*20,000 bytes .*a\.tar\.part"):
        fetch(archive(server), tmp_path)
    assert len(server.ranges) == download.TRIES  # the first one received bytes, and counts as the first that failed
    server.faults = []
    fetch(archive(server), tmp_path)
    assert_whole(tmp_path)


def test_a_file_that_is_gone_is_asked_for_once(server, tmp_path):
    del server.files["a.tar"]
    with pytest.raises(OSError, match=r"a\.tar: .*404"):
        fetch(archive(server), tmp_path)
    assert server.ranges == [None]


def test_an_unreachable_server_is_an_error_with_the_archives_name(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "WAIT_SECONDS", 0.0)
    with serving() as server:
        gone = archive(server)
    with pytest.raises(OSError, match=r"a\.tar: .*refused"):
        fetch(gone, tmp_path)


def test_a_file_with_a_wrong_checksum_is_renamed_and_the_next_try_starts_over(server, tmp_path):
    server.files["a.tar"] = b"<html>please log in</html>"
    with pytest.raises(ValueError, match=rf"a\.tar .*md5:\w+.*{MD5}.*a\.tar\.wrong"):
        fetch(archive(server), tmp_path)
    assert os.listdir(tmp_path) == ["a.tar.wrong"]
    server.files["a.tar"] = CONTENT
    fetch(archive(server), tmp_path)
    assert server.ranges == [None, None] and (tmp_path / "a.tar").read_bytes() == CONTENT


def test_a_supplied_archive_is_checked_and_never_changed(server, tmp_path):
    (tmp_path / "a.tar").write_bytes(CONTENT[:-1])
    with pytest.raises(ValueError, match=rf"a\.tar .*md5:\w+.*{MD5}.* move"):
        fetch(archive(server), tmp_path)
    assert (tmp_path / "a.tar").read_bytes() == CONTENT[:-1] and server.ranges == []


def test_an_archive_behind_a_login_is_asked_for_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.tar .*account"):
        fetch(Archive("a.tar", MD5), tmp_path)


def test_received_bytes_are_kept_when_the_disk_fills_up(server, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))  # the kernel refuses the 30,001st byte of a file
    try:
        with pytest.raises(OSError, match=r"a\.tar\.part .*File too large"):
            fetch(archive(server), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(server.ranges) == 1, "another try does not change the disk"
    fetch(archive(server), tmp_path)
    assert_whole(tmp_path)
    assert server.ranges == [None, "bytes=30000-"]


def test_a_disk_too_small_is_refused_in_advance(server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=40_000))
    with pytest.raises(OSError, match=r"40,000 bytes .*a\.tar\.part .*50,000") as caught:
        fetch(archive(server), tmp_path)
    assert caught.value.errno == errno.ENOSPC and not os.listdir(tmp_path)
