"""The states of jobs on a cluster that keeps no accounts (no slurmdbd): submitit asks sacct, which knows nothing there.

squeue knows what waits and runs, and for some minutes what has ended; a job that it does not list has ended before.
"""

import subprocess

import submitit
from submitit.slurm.slurm import SlurmInfoWatcher

# the variables that could filter the list are taken away
FILTERS = ("ACCOUNT", "LICENSES", "NAMES", "PARTITION", "QOS", "STATES", "USERS")
COMMAND = ("squeue", "--me", "--all", "--noheader", "--array", "--states=all", "--format=%i|%T")
# all others, such as CONFIGURING or SUSPENDED, go on; Slurm's "job state codes"
ENDS = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "REVOKED", "TIMEOUT"}
GOES_ON, GONE = "RUNNING", "ENDED"
DELAY_SECONDS = 60


class Queue(SlurmInfoWatcher):
    """submitit's watcher, by squeue."""

    def _make_command(self) -> list[str] | None:
        if not self._registered - self._finished:
            return None
        return ["env", *(f"--unset=SQUEUE_{each}" for each in FILTERS), *COMMAND]

    def read_info(self, string: bytes | str) -> dict[str, dict[str, str]]:
        """The state of each job by its number; submitit takes each state that it does not know for an end."""
        text = string if isinstance(string, str) else string.decode()
        found = {job: {"JobID": job, "State": GONE} for job in self._registered}
        for line in text.splitlines():
            job, _, state = line.partition("|")
            found[job] = {"JobID": job, "State": state if state in (*ENDS, "PENDING") else GOES_ON}
        return found


def watch() -> None:
    """Let submitit ask squeue where sacct does not answer."""
    try:
        answers = subprocess.run(["sacct", "--noheader", "--jobs", "1"], capture_output=True).returncode == 0
    except OSError:
        answers = False
    if not answers:
        submitit.SlurmJob.watcher = Queue(DELAY_SECONDS)
