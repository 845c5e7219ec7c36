"""One process at a time writes a folder, on whichever host, and what a dead one left is taken over by one alone."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier

import pytest

from trick_transfer.engine import claim
from trick_transfer.engine.claim import STALE_SECONDS, alone, clock, holder, place, space, take

FAR = f"12_0123456789ab_{space()}_node3"  # another host's name in a claim
HOLDER = """
import sys, time
from pathlib import Path
from trick_transfer.engine import claim
claim.BEAT_SECONDS = 0.05
with claim.alone(Path(sys.argv[1])):
    print("mine", flush=True)
    time.sleep(60)
"""


def left(folder, name, seconds=0.0):
    """A claim that was touched for the last time some seconds ago."""
    path = place(folder) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def other_process(folder):
    """One that has claimed a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "mine\n"
    return process


@pytest.mark.parametrize("done", [False, True])
def test_what_nfs_remembers_of_another_hosts_claim_is_looked_at_again(monkeypatch, tmp_path, done):
    """Linux's NFS 3 and 4.2 raised ESTALE where two hosts claimed one folder again and again; a rename may be done."""
    moves, looks = [], []
    rename, exists = Path.rename, Path.exists

    def stale(*_):
        raise OSError(errno.ESTALE, "Stale file handle")

    def moved(path, target):
        moves.append(path)
        if len(moves) > 1 or done:
            rename(path, target)
        return stale() if len(moves) == 1 else target

    def looked(path):
        looks.append(path)
        return stale() if len(looks) % 2 else exists(path)

    monkeypatch.setattr(claim.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(Path, "rename", moved)
    monkeypatch.setattr(Path, "exists", looked)
    with alone(tmp_path / "run"):
        assert holder(tmp_path / "run").startswith(f"process {os.getpid()} on ")
    assert not list(tmp_path.iterdir()) and len(moves) == (1 if done else 2)


def test_a_look_that_stays_stale_is_an_error(monkeypatch, tmp_path):
    def stale(*_):
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(claim.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(claim.os, "listdir", stale)
    with pytest.raises(OSError, match="Stale file handle"):
        holder(tmp_path / "run")


def test_a_folder_is_claimed_by_one_at_a_time_and_nothing_is_left(tmp_path):
    with alone(tmp_path / "run"):
        assert holder(tmp_path / "run").startswith(f"process {os.getpid()} on ")
        with pytest.raises(ValueError, match=f"{tmp_path / 'run'} .*process {os.getpid()}"), alone(tmp_path / "run"):
            pass
        with alone(tmp_path / "other"):
            pass
    with alone(tmp_path / "run"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_killed_holder_is_seen_to_be_gone_at_once_even_as_a_zombie(tmp_path):
    process = other_process(tmp_path / "run")
    assert holder(tmp_path / "run").startswith(f"process {process.pid} on ")
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie: nobody has asked for its end
    with alone(tmp_path / "run"):
        pass
    process.communicate()


@pytest.mark.parametrize(("seconds", "free"), [(STALE_SECONDS / 2, False), (STALE_SECONDS * 2, True)])
def test_another_hosts_holder_counts_until_it_was_silent_for_long(tmp_path, seconds, free):
    left(tmp_path / "run", FAR, seconds)
    assert holder(tmp_path / "run") == ("" if free else "process 12 on node3")


def test_another_machine_of_this_ones_name_counts_too(tmp_path, monkeypatch):
    """As two machines that are both called localhost: no process here has its holder's number."""
    left(tmp_path / "run", f"{2**22 + 1}_0123456789ab_{space()}_{socket.gethostname()}")
    assert holder(tmp_path / "run") == ""
    monkeypatch.setattr(claim, "BOOT", tmp_path / "boot_id")
    (tmp_path / "boot_id").write_text("0a1b2c3d-0000")
    left(tmp_path / "run", f"{2**22 + 1}_0123456789ab_{space()}_{socket.gethostname()}")
    (tmp_path / "boot_id").write_text("4e5f6a7b-0000")
    assert holder(tmp_path / "run") == f"process {2**22 + 1} on {socket.gethostname()}"


def test_a_claim_that_goes_while_it_is_looked_at_is_none(tmp_path, monkeypatch):
    path = left(tmp_path / "run", FAR)

    def gone(folder):
        path.unlink()
        return time.time()

    monkeypatch.setattr(claim, "clock", gone)
    assert holder(tmp_path / "run") == ""


def test_the_file_systems_clock_counts_not_this_hosts(tmp_path, monkeypatch):
    left(tmp_path / "run", FAR)
    monkeypatch.setattr(time, "time", lambda: 1e12)
    assert holder(tmp_path / "run") and clock(tmp_path) < 1e11


def test_of_many_that_take_over_a_stale_claim_one_gets_it(tmp_path):
    count = 8
    for turn in range(5):
        folder, start = tmp_path / f"run{turn}", Barrier(count)
        left(folder, FAR, 2 * STALE_SECONDS)

        def come(folder=folder, start=start):
            start.wait()
            with suppress(ValueError):
                return take(folder)

        with ThreadPoolExecutor(count) as pool:
            found = [path for path in pool.map(lambda _: come(), range(count)) if path]
        assert len(found) == 1 and list(place(folder).iterdir()) == found
        assert list(tmp_path.iterdir()).count(place(folder)) == 1


def test_a_fresh_claim_is_never_removed_for_a_stale_one_that_was_seen_before(tmp_path, monkeypatch):
    """Between the look at a stale claim and its removal, another process may have taken the folder."""
    folder = tmp_path / "run"
    stale = left(folder, FAR, 2 * STALE_SECONDS)
    fresh = FAR.replace("node3", "node4")
    real = clock

    def meanwhile(parent):
        if stale.exists():
            stale.rename(stale.with_name(fresh))
            os.utime(stale.with_name(fresh))
        return real(parent)

    monkeypatch.setattr(claim, "clock", meanwhile)
    with pytest.raises(ValueError, match="another process writes"):
        take(folder)
    assert [path.name for path in place(folder).iterdir()] == [fresh]


def test_a_holder_touches_its_claim_and_ends_when_another_has_it(tmp_path):
    process = other_process(tmp_path / "run")
    (mine,) = place(tmp_path / "run").iterdir()
    os.utime(mine, (0, 0))
    end = time.monotonic() + 30
    while mine.stat().st_mtime == 0:
        assert time.monotonic() < end
        time.sleep(0.02)
    mine.rename(mine.with_name(FAR))
    _, told = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM and "is another process's now" in told
    assert Path(place(tmp_path / "run"), FAR).is_file()
