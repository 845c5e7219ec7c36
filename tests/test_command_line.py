"""The program: what a signal does to it, and to the processes that it has forked."""

import os
import signal

import pytest

from trick_transfer.command_line import GRACE_SECONDS, Stopped, Stops


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
