"""A run as a job of a cluster. Each module that it imports is one that a job waits for: no torch."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM

from submitit.helpers import DelayedSubmission

from trick_transfer.engine.claim import holder

from .launch import appended, launch

RESTARTS = "SLURM_RESTART_COUNT"  # set by Slurm where it has requeued a job
POLL_SECONDS = 10.0
PREEMPTED_SECONDS = 120.0  # Slurm sends SIGTERM to all processes of a job, and some time later ends and requeues it


@dataclass(frozen=True)
class Job:
    """One of our commands, `count` times at once, that writes a folder; called where the cluster starts it."""

    words: list[str]
    count: int
    folder: Path
    log: Path

    def __call__(self) -> int:
        """Its exit code; 1 at once where another one writes the folder, which its driver then waits for.

        A job that was requeued waits for what it may have left on another host itself.
        """
        while holder(self.folder):
            if RESTARTS not in os.environ:
                return 1
            time.sleep(POLL_SECONDS)
        code = launch(self.words, self.count, self.log)
        if code in (-SIGTERM, 128 + SIGTERM):
            note(self.log, "job is requeued, as Slurm has stopped it")
            time.sleep(PREEMPTED_SECONDS)
            note(self.log, "error: SIGTERM ended it, and Slurm did not requeue the job")
        holder(self.folder)  # removes what a killed process left: other hosts cannot tell
        return code

    def checkpoint(self) -> DelayedSubmission:
        """Called by submitit when Slurm warns of the end of its time: the same once more, which resumes."""
        note(self.log, "job is requeued, as Slurm has warned it")
        return DelayedSubmission(self)


def note(log: Path, line: str) -> None:
    """Add to a run's log what becomes of its job, if that can be written; `begun.PENDING` reads it."""
    with suppress(OSError), appended(log) as file:
        file.write(f"{line}\n".encode())
