"""Runs as jobs of Slurm, through submitit: one that is preempted or out of time is requeued, and resumes."""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import submitit
from submitit.core.utils import FailedJobError, UncompletedJobError

from .command import parse_sets
from .job import Job, note
from .many import DAY_MINUTES, EXECUTORS
from .places import LOG
from .plan import processes, train_words
from .run import Run
from .squeue import watch

MOST_TIMEOUTS = 100  # of one run: each is followed by a requeue
WARNING_SECONDS = 90  # before the end of a job's time
CPUS = 8  # for each process: most of them load data


class Cluster:
    """Runs on a cluster; see `driver.Workers`. What is ready at once is one array of jobs, if --array says so."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.waiting: dict[int, list[Run]] = defaultdict(list)  # for the next array, by the number of processes
        self.jobs: list[tuple[Run, submitit.Job]] = []
        if args.executor == EXECUTORS[0]:
            watch()

    def room(self, run: Run) -> bool:
        there = len(self.jobs) + sum(map(len, self.waiting.values()))
        return self.args.jobs is None or there < self.args.jobs

    def start(self, run: Run) -> str:
        count = processes(run, self.args)
        if self.args.array:
            self.waiting[count].append(run)
            return f"is submitted in an array ({self.args.executor})"
        self.jobs += zip([run], self.submit(count, [run]), strict=True)
        return f"is submitted as job {self.jobs[-1][1].job_id} ({self.args.executor})"

    def send(self) -> None:
        for count, runs in self.waiting.items():
            self.jobs += zip(runs, self.submit(count, runs), strict=True)
        self.waiting.clear()

    def submit(self, count: int, runs: list[Run]) -> list[submitit.Job]:
        executor = self.executor(count)
        made = [Job(train_words(run, self.args), count, run.folder, run.folder / LOG) for run in runs]
        try:
            with executor.batch() if self.args.array else nullcontext():
                jobs = [executor.submit(each) for each in made]
        except FailedJobError as error:
            raise ValueError(
                f"Slurm does not take the job: {in_one_line(error)}; correct --partition, --time or --slurm"
            ) from error
        for run, job in zip(runs, jobs, strict=True):
            note(run.folder / LOG, f"job {job.job_id} is submitted ({self.args.executor})")
        return jobs

    def ended(self) -> Iterator[tuple[Run, int]]:
        for run, job in list(self.jobs):
            try:
                if not job.done():
                    continue
                code = job.result()
            except UncompletedJobError as error:  # cancelled, out of its last time, or its node is gone
                code = 1
                note(run.folder / LOG, f"job {job.job_id}: {in_one_line(error)}; its own output: {job.paths.stderr}")
            self.jobs.remove((run, job))
            yield run, code

    def stop(self) -> str:
        jobs = " ".join(str(job.job_id) for _, job in self.jobs)
        return f"jobs that go on: {jobs or 'none'}; the same command takes what they do"

    def executor(self, count: int) -> submitit.AutoExecutor:
        """What submits jobs of `count` processes on one node."""
        folder = self.args.work_dir.absolute() / "jobs"  # submitit's own files
        options = sbatch_options(self.args, count)
        cores = options.get("cpus_per_task")
        executor = submitit.AutoExecutor(folder, self.args.executor, slurm_max_num_timeout=MOST_TIMEOUTS)
        executor.update_parameters(
            name="trick-transfer",
            timeout_min=self.args.time or DAY_MINUTES,
            slurm_array_parallelism=self.args.array or 1,
            slurm_signal_delay_s=WARNING_SECONDS,
            slurm_additional_parameters=options,
            slurm_srun_args=[f"--cpus-per-task={cores}"]
            * bool(cores),  # srun of Slurm 22.05 to 23.02 does not inherit it
        )
        return executor


def in_one_line(error: Exception) -> str:
    """The beginning of what submitit says in several lines."""
    return f"{' '.join(str(error).split()):.300}"


def sbatch_options(args: argparse.Namespace, count: int) -> dict[str, Any]:
    """What sbatch is asked for, for `count` processes; --slurm has the last word, and leaves out what is None."""
    options: dict[str, Any] = dict(gpus_per_node=count, cpus_per_task=CPUS * count, requeue=True)
    options |= ({"partition": args.partition} if args.partition else {}) | parse_sets(args.slurm)
    return {key: value for key, value in options.items() if value not in (None, False)}
