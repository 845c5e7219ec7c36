"""`trick-transfer COMMAND ...`, from any folder; in a checkout `tools/COMMAND.py ...` is the same.

Bad input becomes one line and exit code 2; a signal one line and 128 + its number. It imports nothing that takes long,
so that a signal in the first second is caught, too.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import NoReturn

COMMANDS = tuple(sorted(path.stem for path in (Path(__file__).parent / "commands").glob("[a-z]*.py")))
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WAIT_SECONDS = 5.0
LAUNCHED = "TRICK_TRANSFER_LAUNCHED"  # the environment of a command that another one started
PROGRAM = (sys.executable, str(Path(__file__).with_name("__main__.py")))  # starts a command in another process
USAGE = f"usage: trick-transfer {{{','.join(COMMANDS)}}} ..., each with --help"


class Stopped(KeyboardInterrupt):
    """A signal of STOPS."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = signal.Signals(number)


def stop(number: int, frame: FrameType | None) -> NoReturn:
    """A signal's handler; a second signal must not break off the way out."""
    for each in STOPS:
        signal.signal(each, lambda number, frame: None)  # SIG_IGN prints an error for one that has arrived already
    raise Stopped(number)


def tool(run: Callable[[], int | None]) -> int:
    """Run a command; returns its exit code."""
    try:
        return report(run)
    except Stopped as stopped:
        if LAUNCHED not in os.environ and is_first():  # else another process says it
            say(f"stopped by {stopped.number.name}; the same command resumes")
        return 128 + stopped.number


def report(run: Callable[[], int | None]) -> int:
    """Run a command, and report bad input in one line. TRACEBACK=1 shows where it came from."""
    try:
        return run() or 0
    except (ValueError, OSError) as error:
        if os.environ.get("TRACEBACK"):
            raise
        if not is_first():
            time.sleep(WAIT_SECONDS)  # if the first process has the same error, it reports it, and torchrun ends us
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        # an error in a data-loading worker carries its whole traceback: the last line is the message
        line = lines[-1].split(": ", 1)[-1] if "DataLoader worker" in lines[0] else lines[0]
        say(f"error: {line}")
        return 2


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
    os.environ["PYTHONSAFEPATH"] = "1"  # a process that it starts takes no module from the folder where it is started
    for number in STOPS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup asks
            signal.signal(number, stop)
    if not script:
        command, *words = sys.argv[1:] or ["--help"]
        if command not in COMMANDS:
            asked = command in ("-h", "--help")
            print(USAGE, file=sys.stdout if asked else sys.stderr)
            sys.exit(0 if asked and sys.argv[1:] else 2)
        sys.argv = [f"trick-transfer {command}", *words]
    else:
        command = Path(script).stem
    sys.exit(tool(lambda: import_module(f"trick_transfer.commands.{command}").main()))
