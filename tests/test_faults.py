"""Kills, a full disk and two processes on one folder: nothing is lost, and the weights are those of a whole run.

`make test-faults` runs these alone.
"""

import os
import random
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from test_pipeline import until
from test_results import read_all

ROOT = Path(__file__).parents[1]
STAGES = ("classification", "detection", "segmentation")
KILLS = 5
LONGEST_SECONDS = 15.0  # between two kills
EPOCHS = ("max_epochs=2", "detection.train_cfg.max_epochs=2", "segmentation.train_cfg.max_epochs=2")
RECIPE = ("resnet50d_cosine", "--tier", "smoke", "--tracker", "none")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="needs process groups and rlimits")]


def start(tool, *words, folder, **options):
    """A tool in a process group of its own."""
    command = [sys.executable, str(ROOT / "tools" / f"{tool}.py"), *map(str, words)]
    return subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def pipeline(home, work, *words, **options):
    return start("pipeline", *RECIPE, *words, "--work-dir", work, "--set", *EPOCHS, folder=home, **options)


def weights(work):
    """stage -> the bytes of its final weights."""
    return {path.parent.name: path.read_bytes() for path in work.glob("smoke/*/seed0/*/model.safetensors")}


@pytest.fixture(scope="module")
def whole(home, tmp_path_factory):
    """The weights of a pipeline that nothing interrupts."""
    work = tmp_path_factory.mktemp("whole")
    process = pipeline(home, work)
    _, told = process.communicate()
    assert process.returncode == 0, told
    return weights(work)


@pytest.mark.parametrize("words", [(), ("--jobs", "2")])
def test_a_pipeline_killed_again_and_again_ends_with_the_same_weights(home, whole, tmp_path, words):
    assert set(whole) == set(STAGES)
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    for _ in range(KILLS):
        process = pipeline(home, tmp_path, *words)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=chance.uniform(0, LONGEST_SECONDS))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    process = pipeline(home, tmp_path, *words)
    _, told = process.communicate()
    assert process.returncode == 0, told
    assert weights(tmp_path) == whole, f"kills of seed {seed}"
    assert len(read_all(tmp_path / "results")[0]) == len(STAGES) and not read_all(tmp_path / "results")[1]
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith((".part", "latest.pth"))]


def test_a_disk_that_fills_ends_a_run_in_one_line_and_the_same_command_goes_on(home, whole, tmp_path):
    """A limit on a file's size stands in for the disk: the write of a checkpoint fails half-way."""
    limit = (10**7, resource.RLIM_INFINITY)
    process = pipeline(home, tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    _, told = process.communicate()
    (line,) = [line for line in told.splitlines() if line.startswith("error: ")]
    assert process.returncode == 2 and "latest.pth could not be written" in line and "Traceback" not in told
    assert not weights(tmp_path) and not list(tmp_path.rglob("*.part"))
    process = pipeline(home, tmp_path)
    _, told = process.communicate()
    assert process.returncode == 0 and weights(tmp_path) == whole, told


def test_of_two_pipelines_on_one_folder_one_runs_and_the_other_is_told(home, whole, tmp_path):
    first = pipeline(home, tmp_path)
    until(lambda: list(tmp_path.rglob("config.json")))
    second = pipeline(home, tmp_path)
    _, told = second.communicate()
    assert second.returncode == 2 and "another process writes" in told and "Traceback" not in told
    _, told = first.communicate()
    assert first.returncode == 0 and weights(tmp_path) == whole, told


def test_two_drivers_on_one_folder_train_each_stage_once_and_both_end_well(home, whole, tmp_path):
    drivers = [pipeline(home, tmp_path, "--jobs", "2") for _ in range(2)]
    told = [process.communicate() for process in drivers]
    assert [process.returncode for process in drivers] == [0, 0], told
    assert weights(tmp_path) == whole
    logs = {path.parent.name: path.read_text() for path in tmp_path.glob("smoke/*/seed0/*/log.txt")}
    assert {stage: log.count("global batch") for stage, log in logs.items()} == dict.fromkeys(STAGES, 1)
    assert not list(tmp_path.rglob("*.claim"))


def test_a_job_of_a_cluster_whose_time_ends_is_requeued_and_resumes(home, whole, tmp_path):
    process = pipeline(home, tmp_path, "--executor", "local")
    (latest,) = until(lambda: list(tmp_path.rglob("latest.pth")))
    jobs = [path.name for path in Path("/proc").glob("[0-9]*") if of_submitit(path, tmp_path)]
    for pid in jobs:
        os.kill(int(pid), signal.SIGUSR2)  # as Slurm does, some time before the end
    out, told = process.communicate()
    assert process.returncode == 0 and len(jobs) == 1, told
    assert weights(tmp_path) == whole
    own = "".join(path.read_text() for path in (tmp_path / "jobs").glob("*_log.*"))
    assert "Caught signal SIGUSR2" in own and own.count("Starting with") == len(STAGES) + 1
    assert (latest.parent / "log.txt").read_text().count("global batch") == 2


def of_submitit(process, work):
    """Whether a process of /proc is one that submitit runs a job of this work folder in."""
    with suppress(OSError):
        words = (process / "cmdline").read_text().split("\0")
        return "submitit.core._submit" in words and str(work / "jobs") in words
    return False


def test_leaderboards_at_once_or_killed_leave_whole_files(tmp_path):
    words = ("--results", ROOT / "results", "--own", tmp_path / "none", "--out")
    alone = start("leaderboard", *words, tmp_path / "alone", folder=tmp_path)
    alone.communicate()
    written = {path.name: path.read_bytes() for path in (tmp_path / "alone").iterdir()}
    assert alone.returncode == 0 and "LEADERBOARD.md" in written
    out = tmp_path / "shared"
    for _ in range(3):
        killed = start("leaderboard", *words, out, folder=tmp_path)
        with suppress(subprocess.TimeoutExpired):
            killed.wait(timeout=random.uniform(0, 25))
        killed.kill()
        killed.communicate()
        assert all(path.read_bytes() == written[path.name] for path in out.glob("[!.]*"))
    together = [start("leaderboard", *words, out, folder=tmp_path) for _ in range(3)]
    assert [process.communicate() and process.returncode for process in together] == [0, 0, 0]
    assert {path.name: path.read_bytes() for path in out.glob("[!.]*")} == written
