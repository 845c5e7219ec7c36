"""Scores of resampled images are computed once for the same outputs and the same code."""

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from trick_transfer.leaderboard.scores import load, remembered
from trick_transfer.runs.store import read_stored

RUN = Path("mini/resnet50d_best/seed0")
REFERENCE = Path(__file__).parents[1] / "results"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/trick-transfer/scores"


@pytest.fixture
def stored(tmp_path):
    """A committed run's results."""
    shutil.copytree(REFERENCE / RUN, tmp_path / "results" / RUN)
    return read_stored(tmp_path / "results")[0]


@pytest.fixture
def asked(monkeypatch):
    """The outputs that were resampled."""
    found = []
    whole = load.resample
    monkeypatch.setattr(load, "resample", lambda outputs: found.append(outputs) or whole(outputs))
    return found


def same(ones, others):
    """Whether two loads found the same scores."""
    return all(
        one.points == other.points
        and one.details == other.details
        and one.rounds.keys() == other.rounds.keys()
        and all(np.array_equal(drawn, other.rounds[name]) for name, drawn in one.rounds.items())
        for one, other in zip(ones, others, strict=True)
    )


def test_a_run_is_resampled_once_also_from_another_folder(cache, stored, asked, tmp_path):
    first, _ = load.load_all(stored)
    assert len(asked) == len(stored) == 3 and all(run.rounds for run in first)
    (tmp_path / "results").rename(tmp_path / "moved")
    again, problems = load.load_all(read_stored(tmp_path / "moved")[0])
    assert len(asked) == 3 and problems == [] and same(first, again)


def test_other_code_resamples_again(cache, stored, asked, monkeypatch):
    load.load_all(stored)
    monkeypatch.setattr(remembered, "code", lambda stage: "other")
    load.load_all(stored)
    assert len(asked) == 6


def test_outputs_that_changed_are_refused_though_they_were_known(cache, stored, asked):
    load.load_all(stored)
    with stored[0].outputs.open("ab") as file:
        file.write(b"\0")
    runs, (problem,) = load.load_all(stored)
    assert len(runs) == 2 and f"{stored[0].outputs}: its sha256 is" in problem


@pytest.mark.parametrize("fault", ["cut off", "not ours", "no cache"])
def test_what_cannot_be_read_back_is_resampled(cache, stored, asked, fault, tmp_path):
    if fault == "no cache":
        (tmp_path / "cache").write_text("a file")
    first, _ = load.load_all(stored)
    for kept in cache.glob("??/*"):
        kept.write_bytes(kept.read_bytes()[:100] if fault == "cut off" else b"a text")
    again, problems = load.load_all(stored)
    assert len(asked) == 6 and problems == [] and same(first, again)


def test_what_was_not_used_for_long_is_forgotten(cache, stored, asked):
    load.load_all(stored)
    old, *others = sorted(cache.glob("??/*"))
    long_ago = time.time() - (remembered.KEPT_DAYS + 1) * 86_400
    os.utime(old, (long_ago, long_ago))
    remembered.forget()
    assert sorted(cache.glob("??/*")) == others and len(others) == 2
