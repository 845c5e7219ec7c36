"""The table of runs: what their folders tell, of any host."""

import os
import sys
import time
from pathlib import Path

import pytest
from test_claim import FAR, left

from trick_transfer.commands import status
from trick_transfer.runs.begun import begun_under, last_line, looked_at
from trick_transfer.runs.job import note

FILES = {
    "done": ("config.json", "metrics.json", "log.txt"),
    "stopped": ("config.json", "latest.pth"),
    "failed": ("config.json", "latest.pth", "log.txt"),
    "running": ("config.json", "latest.pth"),
}


@pytest.fixture
def work(tmp_path):
    """A run in each state; another that starts just now; what is no run."""
    for seed, (state, names) in enumerate(FILES.items()):
        folder = tmp_path / f"mini/resnet50d_best/seed{seed}/detection"
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).write_text("error: no space is left\n" if state == "failed" else "{}")
        if state == "running":
            left(folder, FAR)
    left(tmp_path / "mini/resnet50d_best/seed9/segmentation", FAR)
    (tmp_path / "results/mini/resnet50d_best/seed0/detection").mkdir(parents=True)
    (tmp_path / "results/mini/resnet50d_best/seed0/detection/metrics.json").write_text("{}")
    put_aside = tmp_path / "mini/resnet50d_best/seed0/detection.20261127_010203"
    put_aside.mkdir()
    (put_aside / "config.json").write_text("{}")
    return tmp_path


def test_each_run_has_its_state_and_whoever_runs_it(work):
    found = [(run.folder.parent.name, run.folder.name, run.state, run.who) for run in begun_under(work)]
    far = "process 12 on node3"
    assert found == [
        *((f"seed{seed}", "detection", state, far if state == "running" else "") for seed, state in enumerate(FILES)),
        ("seed9", "segmentation", "running", far),
    ]


def test_a_traceback_is_a_failure_too(work):
    folder = next(each.folder for each in begun_under(work) if each.state == "failed")
    (folder / "log.txt").write_text("Traceback (most recent call last):\n  ...\ntorch.OutOfMemoryError: too much\n")
    assert looked_at(folder).state == "failed"
    (folder / "log.txt").write_text("resnet50 seed 0 classification train  step 2/9\n")
    assert looked_at(folder).state == "stopped"


@pytest.mark.parametrize("line", ["job 4711_2 is submitted (slurm)", "job is requeued, as Slurm has warned it"])
def test_a_run_that_waits_in_a_clusters_queue_is_pending_until_it_starts(work, line):
    folder = next(each.folder for each in begun_under(work) if each.state == "stopped")
    note(folder / "log.txt", line)
    assert looked_at(folder)[1:3] == ("pending", "")
    note(folder / "log.txt", "job 4711_2: it was cancelled; its own output: jobs/4711_2.err")
    assert looked_at(folder).state == "stopped"
    note(folder / "log.txt", line)
    left(folder, FAR)
    assert looked_at(folder)[1:3] == ("running", "process 12 on node3")


def test_the_last_sign_is_of_the_youngest_file(work):
    folder = work / "mini/resnet50d_best/seed1/detection"
    for name, seconds in (("config.json", 5000), ("latest.pth", 100)):
        os.utime(folder / name, (time.time() - seconds,) * 2)
    (run,) = (run for run in begun_under(work) if run.folder == folder)
    assert 100 <= run.seconds < 200


def test_the_last_line_of_a_long_log_is_what_was_said_last():
    Path("log.txt").write_text("x" * 10_000 + "\nstep 1\rstep 2\n\n")
    assert last_line(Path("log.txt")) == "step 2" and last_line(Path("none")) == ""


def test_the_table_names_each_run_and_counts_all(work, monkeypatch, capsys):
    log = work / "mini/resnet50d_best/seed2/detection/log.txt"
    log.write_text("error: [bold] is no class\n")
    monkeypatch.setattr(sys, "argv", ["status", "--work-dir", str(work), "--state", "failed"])
    status.main()
    shown = capsys.readouterr().out
    assert "error: [bold] is no class" in shown and "process 12" not in shown
    assert shown.splitlines()[-1].strip() == "2 running, 1 done, 0 pending, 1 stopped, 1 failed"


def test_a_work_folder_that_does_not_exist_is_named(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["status", "--work-dir", "wrok"])
    with pytest.raises(FileNotFoundError, match="wrok does not exist"):
        status.main()


def test_a_work_folder_that_is_a_file_is_named(monkeypatch, tmp_path):
    (tmp_path / "runs").write_text("")
    monkeypatch.setattr(sys, "argv", ["status", "--work-dir", str(tmp_path / "runs")])
    with pytest.raises(ValueError, match="runs is a file; name a folder"):
        status.main()
