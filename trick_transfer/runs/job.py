"""A run as a job of a cluster. Each module that it imports is one that a job waits for: no torch."""

import time
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM

from submitit.helpers import DelayedSubmission

from trick_transfer.engine.claim import holder

from .launch import launch

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
        """Its exit code, once no other host writes the folder: the run may have been there before it was requeued."""
        while holder(self.folder):
            time.sleep(POLL_SECONDS)
        code = launch(self.words, self.count, self.log)
        if code in (-SIGTERM, 128 + SIGTERM):
            time.sleep(PREEMPTED_SECONDS)
        holder(self.folder)  # removes what a killed process left: other hosts cannot tell
        return code

    def checkpoint(self) -> DelayedSubmission:
        """Called by submitit when Slurm warns of the end of its time: the same once more, which resumes."""
        return DelayedSubmission(self)
