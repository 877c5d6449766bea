"""SIGTERM as an interruption: once, in a block, and with an exit code of its own."""

import os
import signal
import sys
import threading
from contextlib import suppress

import pytest

from mnist_sweep.cli.interruption import (
    Terminated,
    exit_interrupted,
    interruptible,
    raise_swallowed,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def send():
    os.kill(os.getpid(), signal.SIGTERM)


def test_it_is_raised_as_ctrl_c_is_and_what_it_began_is_not_interrupted_again():
    settled = []

    def work():
        try:
            send()
        except KeyboardInterrupt:
            send()  # as a cluster does, to the process and to its group
            settled.append(True)
            raise

    with pytest.raises(Terminated), interruptible():
        work()
    assert settled


def test_what_was_there_before_is_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with interruptible():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
    with pytest.raises(Terminated), interruptible():
        send()
    assert signal.getsignal(signal.SIGTERM) == before


def test_one_that_something_has_caught_is_raised_again_where_it_is_looked_for():
    with interruptible():
        raise_swallowed()
        with suppress(BaseException):  # as a library does that catches everything
            send()
        with pytest.raises(Terminated):
            raise_swallowed()
    raise_swallowed()
    with interruptible():
        raise_swallowed()


def test_a_block_within_a_block_changes_nothing():
    with interruptible():
        handler = signal.getsignal(signal.SIGTERM)
        with interruptible():
            assert signal.getsignal(signal.SIGTERM) == handler
        with pytest.raises(Terminated), interruptible():
            send()
        send()  # once is enough
        with pytest.raises(Terminated):
            raise_swallowed()


def test_in_another_thread_nothing_is_changed():
    found = []

    def work():
        with interruptible():
            found.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]


@pytest.mark.parametrize(("stop", "code"), [(KeyboardInterrupt(), 130), (Terminated(), 143)])
def test_each_ends_the_process_with_the_code_that_shells_and_clusters_expect(stop, code):
    with pytest.raises(SystemExit) as ended:
        exit_interrupted(stop)
    assert ended.value.code == code
