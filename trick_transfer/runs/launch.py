"""A command as one process or, through torchrun, several. Only the failing process prints its error.

Run as a script, this file is torchrun without its report on the failed process.
"""

import logging
import os
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

from trick_transfer.command_line import GRACE_SECONDS, LAUNCHED, PROGRAM, Stopped
from trick_transfer.engine.processes import die_with


def launch(words: list[str], count: int = 1) -> int:
    """Run one of our commands, ["train", ...], `count` times at once.

    Returns the exit code of what failed, negative for a signal. What stops this process stops that one, too.
    """
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
