"""Processes: one that ends when the one that started it does, however that ended; cores for them, and how they talk."""

import ctypes
import os
import signal
import sys

import torch

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before a fork: little is safe after it


def die_with(parent: int) -> None:
    """Called in a new process: ask the kernel to end it when its parent ends, also by SIGKILL (Linux only)."""
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # which torchrun hands on
        if os.getppid() != parent:  # it ended before
            os._exit(1)


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def backend() -> str:
    """NCCL, or gloo: without CUDA, and where torchrun's processes share a GPU, which NCCL refuses."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # not set by srun, which may show each task a GPU of its own
    return "nccl" if torch.cuda.device_count() >= here else "gloo"
