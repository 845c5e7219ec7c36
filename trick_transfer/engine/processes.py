"""Processes: one that ends with the one that started it; whether one lives; cores for them, and how they talk."""

import ctypes
import os
import signal
import sys
from math import ceil
from pathlib import Path

from .limits import cores_allowed

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before a fork: little is safe after it


def die_with(parent: int) -> None:
    """Called in a new process: ask the kernel to end it when its parent ends, also by SIGKILL (Linux only)."""
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # which torchrun hands on
        if os.getppid() != parent:  # it ended before
            os._exit(1)


def is_alive(pid: int) -> bool:
    """Whether a process of this host is there, and has not ended (a zombie has)."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        if LIBC:
            return stat.read_text("latin-1").rsplit(")", 1)[1].split()[0] not in "ZX"
        os.kill(pid, 0)
    except PermissionError:  # another user's
        return True
    except OSError:
        return False
    return True


def cores() -> int:
    """Those that this process may use, also where a container limits their time."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, ceil(min(there, cores_allowed())))


def backend() -> str:
    """NCCL, or gloo: without CUDA, and where torchrun's processes share a GPU, which NCCL refuses."""
    import torch  # here: what only starts processes must not wait for it

    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # not set by srun, which may show each task a GPU of its own
    return "nccl" if torch.cuda.device_count() >= here else "gloo"
