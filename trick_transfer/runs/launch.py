"""A command as one process or, through torchrun, several. Only the failing process prints its error.

Run as a script, this file is torchrun without its report on the failed process.
"""

import logging
import os
import subprocess
import sys
from contextlib import suppress
from functools import partial

from trick_transfer.engine.processes import die_with

GRACE_SECONDS = 10.0


def launch(words: list[str], count: int = 1) -> int:
    """Run a Python script, [interpreter, script, ...], `count` times at once.

    Returns the exit code of what failed, negative for a signal.
    """
    if count > 1:
        words = [words[0], __file__, "--standalone", "--nproc_per_node", str(count), *words[1:]]
    process = subprocess.Popen(words, preexec_fn=partial(die_with, os.getpid()))
    try:
        code = process.wait()
        return 128 - code if count > 1 and code > 128 else code
    except KeyboardInterrupt:  # a terminal sends it to all
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
        raise
    finally:
        process.kill()
        process.wait()


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
