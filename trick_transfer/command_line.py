"""`trick-transfer COMMAND ...`, from any folder; in a checkout `tools/COMMAND.py ...` is the same.

Bad input becomes one line and exit code 2; a signal one line and 128 + its number. It imports nothing that takes long,
so that a signal in the first second is caught, too.
"""

import argparse
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

COMMANDS = tuple(sorted(path.stem for path in (Path(__file__).parent / "commands").glob("[a-z]*.py")))
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WAIT_SECONDS, GRACE_SECONDS = 5.0, 10.0
LAUNCHED = "TRICK_TRANSFER_LAUNCHED"  # the environment of a command that another one started
PROGRAM = (sys.executable, str(Path(__file__).with_name("__main__.py")))  # starts a command in another process
USAGE = f"usage: trick-transfer {{{','.join(COMMANDS)}}} ..., each with --help"

# torch's words where the machine or its set-up is at fault: what to do
OF_MACHINE = {
    r"DataLoader worker \(pid.*\d\) (is killed by signal: [\w ]+|exited unexpectedly)|unable to \w+ .*</torch_.*": (
        "memory or /dev/shm may be too small; --set train_dataloader.num_workers=1 val_dataloader.num_workers=1 takes "
        "less, 0 needs no /dev/shm"
    ),
    r"CUDA out of memory[^.\n]*|DefaultCPUAllocator: can't allocate memory[^.\n]*": "--accumulate 2 takes half as much",
    r"operator torchvision::\w+ does not exist": (
        "torch and torchvision are of two releases; install both in one command, in the versions of constraints.txt"
    ),
}


class Parser(argparse.ArgumentParser):
    """argparse's, which shows a command's text as it stands; what it does not take is one line, as all bad input is."""

    def __init__(self, description: str | None = None, **options: Any) -> None:
        super().__init__(description=description, formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; {self.prog} --help lists what it takes")


class Stopped(KeyboardInterrupt):
    """A signal of STOPS."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = signal.Signals(number)


class Stops:
    """The handler of this process's signals; one that comes soon after another does not break off the way out."""

    def __init__(self) -> None:
        self.process, self.last_seconds = os.getpid(), float("-inf")

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self.process:  # forked from it, to load data
            os._exit(128 + number)
        before, self.last_seconds = self.last_seconds, time.monotonic()
        if self.last_seconds - before > GRACE_SECONDS:  # else torchrun passes on what a terminal has sent
            signal.signal(signal.SIGCHLD, lambda number, frame: None)  # torch's raises an error for a loader that ends
            raise Stopped(number)


def end_forked_by_sigterm() -> None:
    """In a forked process SIGTERM kills: mmdet's pool waits for a worker where Python's handler comes late."""
    hold = partial(signal.pthread_sigmask, signal.SIG_BLOCK, [signal.SIGTERM])
    deliver = partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, [signal.SIGTERM])
    default = partial(signal.signal, signal.SIGTERM, signal.SIG_DFL)
    os.register_at_fork(before=hold, after_in_parent=deliver, after_in_child=default)
    os.register_at_fork(after_in_child=deliver)


def tool(run: Callable[[], int | None]) -> int:
    """Run a command; returns its exit code."""
    try:
        return report(run)
    except BaseException as error:
        if not (stopped := stopped_within(error)):
            raise
        if LAUNCHED not in os.environ and is_first():  # else another process says it
            say(f"stopped by {stopped.number.name}; the same command resumes")
        return 128 + stopped.number


def stopped_within(error: BaseException | None) -> Stopped | None:
    """The signal behind an error: a library's bare `except` may turn what the handler raises into another error."""
    return error if error is None or isinstance(error, Stopped) else stopped_within(error.__context__)


def report(run: Callable[[], int | None]) -> int:
    """Run a command, and report bad input in one line. TRACEBACK=1 shows where it came from."""
    try:
        return run() or 0
    except (ValueError, OSError, RuntimeError) as error:
        line = one_line(error)
        if os.environ.get("TRACEBACK") or line is None or stopped_within(error):
            raise
        if not is_first():
            time.sleep(WAIT_SECONDS)  # if the first process has the same error, it reports it, and torchrun ends us
        say(f"error: {line}")
        return 2


def one_line(error: Exception) -> str | None:
    """What is wrong with the input or the machine, as far as that is known; None for a fault of the program."""
    if isinstance(error, RuntimeError):
        found = ((re.search(words, str(error)), remedy) for words, remedy in OF_MACHINE.items())
        return next((f"{said[0]}; {remedy}" for said, remedy in found if said), None)
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    # an error in a data-loading worker carries its whole traceback: the last line is the message
    return lines[-1].split(": ", 1)[-1] if "DataLoader worker" in lines[0] else lines[0]


def is_first() -> bool:
    """Whether this is the first, or the only, process of a command."""
    return os.environ.get("RANK", "0") == "0"


def say(line: str) -> None:
    """Print a line to stderr, which may be gone when the terminal is."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  else the interpreter complains when it ends


def main(script: str = "") -> NoReturn:
    """Run the command of a script in tools/, or the one that the command line names."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr does: names of files need not be UTF-8
    os.environ["PYTHONSAFEPATH"] = "1"  # a process that it starts takes no module from the folder where it is started
    stop = Stops()
    for number in STOPS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup asks
            signal.signal(number, stop)
    end_forked_by_sigterm()
    if not script:
        command, *words = sys.argv[1:] or ["--help"]
        if command not in COMMANDS:
            asked = command in ("-h", "--help")
            print(USAGE, file=sys.stdout if asked else sys.stderr)
            sys.exit(0 if asked and sys.argv[1:] else 2)
        sys.argv = [f"trick-transfer {command}", *words]
    else:
        command = Path(script).stem
    sys.exit(tool(lambda: imported(command).main()))


def imported(command: str) -> Any:
    """A command's module. Raises ValueError where a package that it needs is missing."""
    try:
        return import_module(f"trick_transfer.commands.{command}")
    except ImportError as error:
        raise ValueError(f"{error}; make setup installs what is needed") from error
