"""A command as one process or several that know of each other, as torchrun starts them; none outlives its starter."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial

POLL_SECONDS, GRACE_SECONDS = 0.1, 5.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before the fork: little is safe after it


def launch(words: list[str], count: int = 1) -> int:
    """Run the command `count` times at once; once one fails the others are ended, and its exit code is returned."""
    places = ranks(count) if count > 1 else [{}]
    tie = partial(die_with, os.getpid())
    started = [subprocess.Popen(words, env=os.environ | place, preexec_fn=tie) for place in places]
    try:
        while True:
            codes = [each.poll() for each in started]
            if any(codes) or None not in codes:
                return next((code for code in codes if code), 0)
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:  # a terminal sends it to them, too
        for each in started:
            with suppress(subprocess.TimeoutExpired):
                each.wait(GRACE_SECONDS)
        raise
    finally:
        for each in started:
            each.kill()
            each.wait()


def ranks(count: int) -> list[dict[str, str]]:
    """The environment by which each process knows itself and the others, as torchrun's; so is one thread each."""
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(count)}
    shared |= {"LOCAL_WORLD_SIZE": str(count), "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    return [shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]


def free_port() -> int:
    """A port of this machine that nobody listens to."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def die_with(parent: int) -> None:
    """In a new process: have the kernel kill it with its parent, however that ends. Only Linux does."""
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before
            os._exit(1)
