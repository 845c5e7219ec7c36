"""Where runs are carried out side by side: in processes of this machine, each with GPUs of its own, or on a cluster."""

import argparse
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import torch

from trick_transfer.command_line import GRACE_SECONDS
from trick_transfer.engine.processes import cores

from .driver import Workers
from .launch import exit_code, start
from .places import LOG
from .plan import processes, train_words
from .run import Run


def workers_of(args: argparse.Namespace) -> Workers | None:
    """What the options ask for; None for one run after another on this terminal."""
    if args.executor:
        from .cluster import Cluster  # submitit need not be installed

        return Cluster(args)
    return Processes(args) if args.jobs or args.jobs_per_gpu else None


class Started(NamedTuple):
    """A run in processes of this machine."""

    run: Run
    process: subprocess.Popen
    number: int  # of processes
    gpus: list[str]


class Processes:
    """Runs of this machine; see `driver.Workers`. Where there are GPUs, a run's processes have one each."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.gpus = visible_gpus()
        self.free = dict.fromkeys(self.gpus, args.jobs_per_gpu or 1)  # places on each
        self.most = args.jobs or max(1, len(self.gpus)) * args.jobs_per_gpu
        self.jobs: list[Started] = []

    def wanted(self, run: Run) -> int:
        return min(processes(run, self.args), len(self.gpus))

    def room(self, run: Run) -> bool:
        return len(self.jobs) < self.most and sum(map(bool, self.free.values())) >= self.wanted(run)

    def start(self, run: Run) -> str:
        count = processes(run, self.args)
        gpus = sorted(self.gpus, key=lambda gpu: -self.free[gpu])[: self.wanted(run)]  # the emptiest first
        for gpu in gpus:
            self.free[gpu] -= 1
        variables = {"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {}
        if "OMP_NUM_THREADS" not in os.environ:  # else each would take all cores
            variables["OMP_NUM_THREADS"] = str(max(1, cores() // (self.most * count)))
        process = start(train_words(run, self.args), count, run.folder / LOG, variables=variables)
        self.jobs.append(Started(run, process, count, gpus))
        return f"runs on GPU {','.join(gpus)}" if gpus else f"runs as process {process.pid}"

    def send(self) -> None:
        """They have started already."""

    def ended(self) -> Iterator[tuple[Run, int]]:
        for job in [job for job in self.jobs if job.process.poll() is not None]:
            self.jobs.remove(job)
            for gpu in job.gpus:
                self.free[gpu] += 1
            yield job.run, exit_code(job.process, job.number)

    def stop(self) -> str:
        for job in self.jobs:
            job.process.send_signal(signal.SIGTERM)
        for job in self.jobs:
            with suppress(subprocess.TimeoutExpired):
                job.process.wait(GRACE_SECONDS)
            job.process.kill()
            job.process.wait()
        return f"runs stopped: {len(self.jobs)}"


def visible_gpus() -> list[str]:
    """The names by which CUDA_VISIBLE_DEVICES calls this machine's GPUs, as far as they are this process's."""
    stated = os.environ.get("CUDA_VISIBLE_DEVICES")
    if stated is not None:
        return [name.strip() for name in stated.split(",") if name.strip()][: torch.cuda.device_count()]
    return [str(number) for number in range(torch.cuda.device_count())]
