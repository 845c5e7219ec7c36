"""Hours and disk of a plan: those of finished runs of the same kind, or unknown."""

from dataclasses import replace
from pathlib import Path

import pytest
from test_results import a_detection, a_result

from trick_transfer.runs import outlook as module
from trick_transfer.runs.outlook import outlook
from trick_transfer.runs.run import Run
from trick_transfer.runs.store import Stored


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.setattr(module, "device", lambda: "this CPU")


def planned(*words, seeds=(1, 2), stage="classification", protocol=None):
    return [
        (Run(stage, "resnet50d_best", "smoke", seed, protocol=protocol), word, "") for seed in seeds for word in words
    ]


def stored(make=a_result, **changes):
    return Stored(make(tier="smoke", **changes), Path("results"))


def test_hours_are_the_mean_of_other_seeds_on_this_device_times_the_runs_that_are_not_done():
    found = [stored(seed=seed, device="this CPU", seconds=seconds) for seed, seconds in ((5, 3600.0), (6, 7200.0))]
    found += [stored(seed=seed, device="GPU", seconds=36.0) for seed in (7, 8, 9)]
    lines = planned("missing") + planned("done", seeds=(0,))
    assert outlook(lines, found) == "to run: 2, 3.00 device-hours on this CPU, disk of 2 not known"


def test_where_this_device_has_no_result_another_ones_hours_are_named_and_every_device_counts():
    found = [stored(device="GPU", seconds=1800.0, devices=4, per_device=64)]
    assert "to run: 2, 4.00 device-hours on GPU" in outlook(planned("missing"), found)


def test_what_nothing_tells_is_said_to_be_unknown_and_another_protocol_tells_nothing():
    lines = planned("missing", stage="detection", protocol="faster_rcnn_fpn_voc") + planned("stale")
    assert outlook(lines, [stored(a_detection)]) == "to run: 4, hours of 4 not known, disk of 4 not known"


def test_disk_is_that_of_finished_runs_beside():
    run, _, _ = planned("done", seeds=(0,))[0]
    (run.folder / "deep").mkdir(parents=True)
    (run.folder / "metrics.json").write_bytes(b"x" * 1000)
    (run.folder / "deep/model.safetensors").write_bytes(b"x" * 10**7)
    other = replace(run, seed=3).folder
    other.mkdir(parents=True)
    (other / "latest.pth").write_bytes(b"x" * 10**8)  # not finished
    assert "0.02 GB" in outlook(planned("missing"), []) and "disk of" not in outlook(planned("missing"), [])
