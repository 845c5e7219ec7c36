"""Processes: one that ends when the one that started it does, however that ended; and the cores for them."""

import ctypes
import os
import signal
import sys

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
