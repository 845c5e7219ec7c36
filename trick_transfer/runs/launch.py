"""A command as one process or, through torchrun or srun, several. Only the failing process prints its error.

Run as a script, this file is torchrun without its report on the failed process.
"""

import logging
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import IO, NamedTuple

from trick_transfer.command_line import GRACE_SECONDS, LAUNCHED, PROGRAM
from trick_transfer.engine.processes import die_with

PORTS = 20_000, 10_000  # the first, and how many: below those that systems give away


class Nodes(NamedTuple):
    """Machines that run one command together; each of them starts it."""

    number: int
    host: str  # of them, by which all find each other; and a free port there
    port: int


def launch(words: list[str], count: int = 1, log: Path | None = None, nodes: Nodes | None = None) -> int:
    """Run one of our commands, ["train", ...], `count` times at once; returns what `exit_code` does.

    What stops this process stops that one, too. Raises ValueError as `start` does.
    """
    process = start(words, count, log, nodes)
    try:
        process.wait()
        return exit_code(process, count * (nodes.number if nodes else 1))
    except BaseException as stopped:  # a signal, or the warning of a cluster that time is out
        process.send_signal(getattr(stopped, "number", signal.SIGTERM))  # a terminal has sent it to all
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
        raise
    finally:
        process.kill()
        process.wait()


def start(
    words: list[str],
    count: int = 1,
    log: Path | None = None,
    nodes: Nodes | None = None,
    variables: Mapping[str, str] = {},
) -> subprocess.Popen:
    """Start one of our commands, ["train", ...], `count` times at once, here and on other nodes; it ends with us.

    The command and what it prints are added to `log`, and `variables` to its environment. Raises ValueError in one of
    several tasks of srun.
    """
    if ranks := slurm_ranks(os.environ):
        tasks = ranks["WORLD_SIZE"]
        raise ValueError(f"srun started this command {tasks} times; start it once (--ntasks 1), with --gpus {tasks}")
    interpreter, program = PROGRAM
    several = [__file__, *meeting(nodes), "--nproc_per_node", str(count), "--"] if nodes or count > 1 else []
    environment = os.environ | {LAUNCHED: "1"} | dict(variables)
    with appended(log) if log else nullcontext() as file:
        if file:  # what an earlier start said last is not this one's
            file.write(f"$ {shlex.join(words)}\n".encode())
            file.flush()
        return subprocess.Popen(
            [interpreter, *several, program, *words],
            env=environment,
            stdin=subprocess.DEVNULL if log else None,
            stdout=file,
            stderr=file,
            preexec_fn=partial(begin, os.getpid()),
        )


def meeting(nodes: Nodes | None) -> list[str]:
    """How torchrun finds the processes of other nodes. Raises OSError for a host that is not found."""
    if nodes is None:
        return ["--standalone"]
    options = {"nnodes": nodes.number, "rdzv_backend": "c10d", "rdzv_endpoint": f"{nodes.host}:{nodes.port}"}
    options |= {"rdzv_id": "trick-transfer", "local_addr": own_address(nodes)}
    return [f"--{key}={value}" for key, value in options.items()]


def own_address(nodes: Nodes) -> str:
    """This node's address, as the others reach it: torchrun's guess is the host's name, which may mean nothing."""
    host = nodes.host.strip("[]")  # of IPv6
    try:
        family, kind, *_, address = socket.getaddrinfo(host, nodes.port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as way:
            way.connect(address)  # sends nothing
            own = way.getsockname()[0]
        return host if ip_address(own).is_loopback else own  # it is that host itself
    except OSError as error:
        raise OSError(f"--rdzv {nodes.host}:{nodes.port}: {error.strerror}; name one of the nodes") from error


def begin(parent: int) -> None:
    """Called in a new process. Slurm warns each process of a job by SIGUSR2, which is for the first one alone."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    die_with(parent)


def appended(log: Path) -> IO[bytes]:
    """A log, open to be added to."""
    log.parent.mkdir(parents=True, exist_ok=True)
    return log.open("ab")


def exit_code(process: subprocess.Popen, count: int) -> int:
    """That of what failed among `count` processes that have ended, negative for a signal."""
    code = process.returncode
    return 128 - code if count > 1 and code > 128 else code


def starts_others(count: int) -> bool:
    """Whether a command that was given --gpus starts `count` processes, and is none of them itself."""
    return count > 1 and "RANK" not in os.environ


def spread(count: int, nodes: Nodes | None = None) -> int:
    """Run this very command in `count` processes; returns its exit code. Raises OSError where one was killed."""
    code = launch([Path(sys.argv[0]).stem.split()[-1], *sys.argv[1:]], count, nodes=nodes)
    check_not_killed(code, "a process")
    return code


def check_not_killed(code: int, what: str) -> None:
    """Raise OSError for the exit code of what a signal ended."""
    if code < 0:
        raise OSError(f"{what} was killed by signal {-code} (9: out of memory?); the same command resumes")


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
