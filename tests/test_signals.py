"""The first SIGINT or SIGTERM is noted; a further Ctrl-C interrupts."""

import signal
import subprocess
import sys
import threading

import pytest

from animegan_tf.signals import Signals

BOTH = (signal.SIGINT, signal.SIGTERM)

# In a process of its own: in the process of the tests it once ended that.
_PROGRAM = """
import signal, sys
from animegan_tf.signals import Signals

first, both = signal.Signals(int(sys.argv[1])), (signal.SIGINT, signal.SIGTERM)
before = [signal.getsignal(one) for one in both]
try:
    with Signals() as signals:
        assert signals.received is None
        signal.raise_signal(first)
        signal.raise_signal(signal.SIGTERM)
        assert signals.received is first
        signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
assert [signal.getsignal(one) for one in both] == before
"""


@pytest.mark.parametrize("first", BOTH)
def test_the_first_is_noted_and_ctrl_c_after_it_interrupts(first):
    command = [sys.executable, "-c", _PROGRAM, str(int(first))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr


def test_another_thread_notes_nothing():
    found = []

    def work():
        with Signals() as signals:
            found.append((signals.received, signal.getsignal(signal.SIGTERM)))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(None, before)]
