"""The states of jobs on a cluster that keeps no accounts (no slurmdbd): submitit asks sacct, which knows nothing there.

squeue knows what waits and runs, and for some minutes what has ended; a job that it does not list has ended before.
"""

import subprocess

import submitit
from submitit.slurm.slurm import SlurmInfoWatcher

COMMAND = ("squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i|%T|%N")
GONE = "ENDED"
DELAY_SECONDS = 60


class Queue(SlurmInfoWatcher):
    """submitit's watcher, by squeue."""

    def _make_command(self) -> list[str] | None:
        return list(COMMAND) if self._registered - self._finished else None

    def read_info(self, string: bytes | str) -> dict[str, dict[str, str]]:
        """Number, state and node of each job by its number."""
        text = string if isinstance(string, str) else string.decode()
        found = {job: {"JobID": job, "State": GONE} for job in self._registered}
        for line in text.splitlines():
            job, state, node = line.split("|")
            found[job] = {"JobID": job, "State": state, "NodeList": node}
        return found


def watch() -> None:
    """Let submitit ask squeue where sacct does not answer."""
    try:
        answers = subprocess.run(["sacct", "--noheader", "--jobs", "1"], capture_output=True).returncode == 0
    except OSError:
        answers = False
    if not answers:
        submitit.SlurmJob.watcher = Queue(DELAY_SECONDS)
