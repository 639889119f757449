import signal
import threading

import pytest

from animegan_tf.signals import Signals

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("first", BOTH)
def test_the_first_is_noted_and_ctrl_c_after_it_interrupts(first):
    before = [signal.getsignal(one) for one in BOTH]
    with pytest.raises(KeyboardInterrupt), Signals() as signals:
        assert signals.received is None
        signal.raise_signal(first)
        signal.raise_signal(signal.SIGTERM)
        assert signals.received is first
        signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(one) for one in BOTH] == before


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
