"""SIGINT (Ctrl-C) and SIGTERM as a wish to stop where it costs nothing."""

import signal
import threading


class Signals:
    """While it lasts SIGINT and SIGTERM are only noted: `received` is the first one, or None.

    A Ctrl-C after that interrupts at once. A SIGTERM does not: what stops processes may send
    several while files are completed. In threads other than the main one nothing is noted.
    """

    def __init__(self):
        self.received, self._before = None, {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for one in (signal.SIGINT, signal.SIGTERM):
                self._before[one] = signal.signal(one, self._note)
        return self

    def _note(self, number, frame):
        del frame
        if self.received is None:
            self.received = signal.Signals(number)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    def __exit__(self, *_):
        for one, before in self._before.items():
            signal.signal(one, before)
