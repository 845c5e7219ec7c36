"""A command as one process or, through torchrun or srun, several. Only the failing process prints its error.

Run as a script, this file is torchrun without its report on the failed process.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from trick_transfer.command_line import GRACE_SECONDS, LAUNCHED, PROGRAM, Stopped
from trick_transfer.engine.processes import die_with

PORTS = 20_000, 10_000  # the first, and how many: below those that systems give away


def launch(words: list[str], count: int = 1) -> int:
    """Run one of our commands, ["train", ...], `count` times at once.

    Returns the exit code of what failed, negative for a signal. What stops this process stops that one, too. Raises
    ValueError in one of several tasks of srun.
    """
    if ranks := slurm_ranks(os.environ):
        tasks = ranks["WORLD_SIZE"]
        raise ValueError(f"srun started this command {tasks} times; start it once (--ntasks 1), with --gpus {tasks}")
    interpreter, program = PROGRAM
    several = [__file__, "--standalone", "--nproc_per_node", str(count)] if count > 1 else []
    started = [interpreter, *several, program, *words]
    process = subprocess.Popen(started, env=os.environ | {LAUNCHED: "1"}, preexec_fn=partial(die_with, os.getpid()))
    try:
        code = process.wait()
        return 128 - code if count > 1 and code > 128 else code
    except Stopped as stopped:
        process.send_signal(stopped.number)  # a terminal has sent it to all
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
        raise
    finally:
        process.kill()
        process.wait()


def starts_others(count: int) -> bool:
    """Whether a command that was given --gpus starts `count` processes, and is none of them itself."""
    return count > 1 and "RANK" not in os.environ


def spread(count: int) -> int:
    """Run this very command in `count` processes; returns its exit code. Raises OSError where one was killed."""
    code = launch([Path(sys.argv[0]).stem.split()[-1], *sys.argv[1:]], count)
    if code < 0:
        raise OSError(f"a process was killed by signal {-code} (9: out of memory?); the same command resumes")
    return code


def join_srun() -> None:
    """Let a process that srun has started as one of several find the others, as torchrun's processes do."""
    os.environ.update(slurm_ranks(os.environ))


def slurm_ranks(variables: Mapping[str, str]) -> dict[str, str]:
    """torchrun's variables from those of a step of several tasks; none for one task, or where torchrun set them.

    MASTER_ADDR and MASTER_PORT that are set stay. Raises OSError where the first node is not found out.
    """
    tasks = variables.get("SLURM_STEP_NUM_TASKS", "1")
    if tasks == "1" or "RANK" in variables:
        return {}
    ranks = dict(RANK=variables["SLURM_PROCID"], LOCAL_RANK=variables["SLURM_LOCALID"], WORLD_SIZE=tasks)
    job, step = (int(variables[f"SLURM_{each}_ID"]) for each in ("JOB", "STEP"))
    port = PORTS[0] + (31 * job + step) % PORTS[1]  # steps of one job may share a node
    ranks["MASTER_PORT"] = variables.get("MASTER_PORT", str(port))
    ranks["MASTER_ADDR"] = variables.get("MASTER_ADDR") or first_node(variables["SLURM_STEP_NODELIST"])
    return ranks


def first_node(nodes: str) -> str:
    """The first of SLURM's list, such as gpu[01-04,7]. Raises OSError where scontrol, which reads it, fails."""
    if not {",", "["} & set(nodes):
        return nodes
    try:
        told = subprocess.run(["scontrol", "show", "hostnames", nodes], capture_output=True, text=True, check=True)
        return told.stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        raise OSError(f"scontrol does not tell the first node of {nodes}; set MASTER_ADDR to its name") from None


def torchrun(words: list[str]) -> int:
    """torchrun without output; the exit code is that of the process that failed first, as a shell reports it."""
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    logging.disable(logging.ERROR)
    try:
        run.run(run.parse_args(words))
    except ChildFailedError as error:
        code = error.get_first_failure()[1].exitcode
        return code if code >= 0 else 128 - code
    except SignalException as error:
        return 128 + error.sigval
    return 0


if __name__ == "__main__":
    sys.exit(torchrun(sys.argv[1:]))
