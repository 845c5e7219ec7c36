"""Runs as jobs of Slurm: what sbatch is asked for, and submitit's executors that need no Slurm."""

import os
import re
import stat
import time
from argparse import Namespace
from pathlib import Path

import pytest
import submitit
from test_claim import FAR, left

from trick_transfer.runs import cluster, job
from trick_transfer.runs.begun import looked_at
from trick_transfer.runs.cluster import Cluster
from trick_transfer.runs.job import Job
from trick_transfer.runs.many import check_jobs
from trick_transfer.runs.places import LOG
from trick_transfer.runs.run import Run

RUNS = [Run("classification", "resnet50d_best", "smoke", seed) for seed in range(3)]
NONE = dict(plan=False, jobs=None, jobs_per_gpu=None, executor="debug", partition=None, time=None, array=None, slurm=[])
NONE |= dict(gpus=1, accumulate=1, tracker="none", precision=None, compile=False, keep_state=False)
NONE |= dict(work_dir=Path("work"))


@pytest.fixture
def slurm(monkeypatch, tmp_path):
    """Commands in place of Slurm's: sbatch notes its script and gives numbers, sacct knows of nothing."""
    scripts = {
        "sbatch": 'for last; do :; done; cp "$last" sbatch.sh; cat "$last" >>all.sh; echo "Submitted batch job 4711"',
        "srun": "exit 1",
        "sacct": "exit 0",
    }
    (tmp_path / "bin").mkdir()
    for name, text in scripts.items():
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")


@pytest.fixture
def words(monkeypatch):
    """What each job runs in place of a training: --help ends well, other words with exit code 2."""
    said = ["--help"]
    monkeypatch.setattr(cluster, "train_words", lambda run, args: list(said))
    return said


def flags():
    """The options in the last script."""
    return dict(re.findall(r"^#SBATCH --([\w-]+)=?(.*)$", Path("sbatch.sh").read_text(), re.M))


def until_ended(workers):
    end = time.monotonic() + 120
    while not (found := list(workers.ended())):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


def test_a_job_asks_slurm_for_what_the_options_say_and_to_be_requeued(slurm, words):
    stated = ["account=vision", "mem=64GB", "cpus_per_task=12", "exclusive=True"]
    workers = Cluster(Namespace(**NONE | dict(executor="slurm", partition="gpu", time=90, gpus=2, slurm=stated)))
    assert workers.start(RUNS[0]) == "is submitted as job 4711 (slurm)"
    waits = looked_at(RUNS[0].folder)
    assert (waits.state, waits.said) == ("pending", "job 4711 is submitted (slurm)")
    asked = {"partition": "gpu", "time": "90", "gpus-per-node": "2", "cpus-per-task": "12", "mem": "64GB"}
    asked |= {"account": "vision", "exclusive": "", "requeue": "", "signal": "USR2@90", "open-mode": "append"}
    assert flags().items() >= asked.items() and "array" not in flags()
    assert "4711" in workers.stop()
    (started,) = re.findall(r"^srun .*$", Path("sbatch.sh").read_text(), re.M)
    assert "--cpus-per-task=12" in started, "srun does not inherit it in Slurm 22.05 to 23.02"


def test_without_accounts_squeue_tells_what_has_ended(slurm, words, monkeypatch):
    """As Slurm 22.05 answers without slurmdbd."""
    monkeypatch.setattr(submitit.SlurmJob, "watcher", submitit.SlurmJob.watcher)
    Path("bin/sacct").write_text("#!/bin/sh\necho 'Slurm accounting storage is disabled' >&2\nexit 1\n")
    queue = Path("bin/squeue")
    queue.write_text("#!/bin/sh\necho '4711|PENDING'\necho '17|RUNNING'\n")
    queue.chmod(0o755)
    workers = Cluster(Namespace(**NONE | dict(executor="slurm")))
    workers.start(RUNS[0])
    ((_, job),) = workers.jobs
    assert list(workers.ended()) == [] and job.state == "PENDING"
    queue.write_text("#!/bin/sh\necho 'a banner'\necho '4711|CONFIGURING'\n")
    job.watcher.update()
    assert list(workers.ended()) == [] and not job.done()
    queue.write_text("#!/bin/sh\necho '17|RUNNING'\n")
    job.watcher.update()
    monkeypatch.setattr(submitit.core.core.Job, "_results_timeout_s", 0)
    assert list(workers.ended()) == [(RUNS[0], 1)] and "4711" in (RUNS[0].folder / LOG).read_text()


def test_an_option_of_none_is_left_out_for_clusters_that_do_not_take_it(slurm, words):
    stated = ["gpus_per_node=None", "gres=gpu:2", "cpus_per_task=None", "requeue=False"]
    Cluster(Namespace(**NONE | dict(executor="slurm", slurm=stated))).start(RUNS[0])
    assert flags()["gres"] == "gpu:2" and not {"gpus-per-node", "cpus-per-task", "requeue"} & flags().keys()
    assert "--cpus-per-task" not in Path("sbatch.sh").read_text()


@pytest.mark.parametrize("array", [None, 2])
def test_what_slurm_does_not_take_is_one_line_with_its_reason(slurm, words, array):
    Path("bin/sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition specified: nosuch' >&2\nexit 1\n")
    workers = Cluster(Namespace(**NONE | dict(executor="slurm", array=array, partition="nosuch")))
    with pytest.raises(ValueError, match="does not take the job: .*invalid partition specified: nosuch") as error:
        workers.start(RUNS[0])
        workers.send()
    assert "\n" not in str(error.value)


def test_what_is_ready_at_once_is_one_array(slurm, words):
    workers = Cluster(Namespace(**NONE | dict(executor="slurm", array=2)))
    for run in RUNS:
        workers.start(run)
    assert not Path("all.sh").exists()
    workers.send()
    assert flags()["array"] == "0-2%2" and Path("all.sh").read_text().count("#!/bin/bash") == 1
    assert [str(each.job_id) for _, each in workers.jobs] == ["4711_0", "4711_1", "4711_2"]
    workers.send()
    assert Path("all.sh").read_text().count("#!/bin/bash") == 1, "nothing is submitted twice"


def test_no_more_jobs_are_submitted_than_asked_for(words):
    workers = Cluster(Namespace(**NONE | dict(jobs=2, array=8)))
    workers.start(RUNS[0])
    assert workers.room(RUNS[1])
    workers.start(RUNS[1])
    assert not workers.room(RUNS[2])


@pytest.mark.parametrize("executor", ["debug", "local"])
@pytest.mark.parametrize(("said", "code"), [("--help", 0), ("none", 2)])
def test_submitits_own_executors_carry_a_run_out_into_its_log(words, executor, said, code):
    words[:] = [said]
    workers = Cluster(Namespace(**NONE | dict(executor=executor)))
    workers.start(RUNS[0])
    assert until_ended(workers) == [(RUNS[0], code)] and not workers.jobs
    assert "usage: trick-transfer" in (RUNS[0].folder / LOG).read_text()


def test_a_cancelled_job_is_a_failure_whose_reason_is_in_the_log(words):
    workers = Cluster(Namespace(**NONE))
    workers.start(RUNS[0])
    workers.jobs[0][1].cancel()
    assert list(workers.ended()) == [(RUNS[0], 1)] and "was cancelled" in (RUNS[0].folder / LOG).read_text()


def test_a_requeued_job_waits_for_what_it_left_on_another_host(monkeypatch, tmp_path):
    claim = left(tmp_path / "run", FAR)
    monkeypatch.setattr(job.time, "sleep", lambda seconds: claim.unlink())
    one = Job(["--help"], 1, tmp_path / "run", tmp_path / "run" / LOG)
    assert one() == 1 and claim.exists(), "the second copy of a job gives its GPUs back"
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert one() == 0 and not claim.exists()
    assert one.checkpoint().function is one
    assert looked_at(tmp_path / "run").state == "pending"


def test_a_job_that_slurm_stops_waits_for_its_end_instead_of_failing(monkeypatch, tmp_path):
    slept = []
    monkeypatch.setattr(job, "launch", lambda *words: 143)
    monkeypatch.setattr(job.time, "sleep", lambda seconds: slept.append((seconds, looked_at(tmp_path / "run").state)))
    Job([], 1, tmp_path / "run", tmp_path / "run" / LOG)()
    assert slept == [(job.PREEMPTED_SECONDS, "pending")] and looked_at(tmp_path / "run").state == "failed"


def test_a_note_that_cannot_be_written_ends_nothing(tmp_path):
    (tmp_path / LOG).mkdir()
    job.note(tmp_path / LOG, "job 4711 is submitted (slurm)")


def test_a_plan_for_slurm_needs_no_slurm(monkeypatch):
    monkeypatch.setenv("PATH", "")
    check_jobs(Namespace(**NONE | dict(executor="slurm", plan=True)))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (dict(executor="slurm"), "--executor slurm needs Slurm's commands here"),
        (dict(executor=None, partition="gpu"), "--partition goes with --executor slurm"),
        (dict(executor=None, time=30), "--time goes with --executor slurm"),
        (dict(jobs_per_gpu=2), "--jobs-per-gpu is for runs on this machine"),
        (dict(array=0), "--array must be at least 1, got 0"),
        (dict(slurm=["account"]), "--slurm takes key=value, not 'account'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(monkeypatch, options, said):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match=said):
        check_jobs(Namespace(**NONE | options))
