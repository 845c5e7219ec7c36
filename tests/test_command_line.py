"""The program: what a signal does to it, and to the processes that it has forked."""

import os
import signal
import subprocess
import sys
from importlib import import_module

import pytest

from trick_transfer.command_line import COMMANDS, GRACE_SECONDS, Stopped, Stops, tool


@pytest.fixture(autouse=True)
def own_sigchld():
    before = signal.getsignal(signal.SIGCHLD)
    yield
    signal.signal(signal.SIGCHLD, before)


def test_that_a_stopped_commands_loaders_end_is_no_error():
    def fail(number, frame):  # as torch's handler does
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Terminated")

    signal.signal(signal.SIGCHLD, fail)
    with pytest.raises(Stopped):
        Stops()(signal.SIGTERM, None)
    os.kill(os.getpid(), signal.SIGCHLD)


@pytest.mark.parametrize("turned_into", [SyntaxError, ValueError, RuntimeError])
def test_a_signal_that_a_library_turns_into_an_error_still_stops_a_command_in_one_line(turned_into, capsys):
    def run():
        try:
            Stops()(signal.SIGTERM, None)
        except:  # noqa: E722  as mmengine does where it formats a config
            raise turned_into("cannot format") from None

    assert tool(run) == 128 + signal.SIGTERM
    assert capsys.readouterr().err == "stopped by SIGTERM; the same command resumes\n"


def test_of_signals_that_come_together_the_first_ends_a_command_and_a_later_one_ends_it_again():
    stop = Stops()
    with pytest.raises(Stopped) as stopped:
        stop(signal.SIGTERM, None)
    assert stopped.value.number == signal.SIGTERM
    stop(signal.SIGINT, None)  # the way out goes on
    stop.last_seconds -= GRACE_SECONDS + 1
    with pytest.raises(Stopped):  # the first one may have got lost
        stop(signal.SIGTERM, None)


def test_a_signal_ends_a_forked_process_without_a_word():
    stop = Stops()
    child = os.fork()
    if not child:
        stop(signal.SIGTERM, None)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 128 + signal.SIGTERM


FORK = """
import os, signal
from trick_transfer.command_line import Stops, end_forked_by_sigterm
signal.signal(signal.SIGTERM, Stops())
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))  # before ours: the fork is not over
end_forked_by_sigterm()
child = os.fork()
if not child:
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])
"""


def test_sigterm_ends_a_forked_process_even_where_it_comes_before_python_looks_for_signals():
    subprocess.run([sys.executable, "-c", FORK], check=True)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_a_command_does_not_take_is_one_line(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--wrong"])
    assert tool(import_module(f"trick_transfer.commands.{name}").main) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and line.endswith(f"; {name}.py --help lists what it takes")
