"""SIGINT (Ctrl-C) and SIGTERM as requests to stop at the next suitable point."""

import signal
import threading


class Signals:
    """Within this context the first SIGINT or SIGTERM only sets `received`.

    A further Ctrl-C interrupts at once; a further SIGTERM is ignored, since supervisors may send
    several while files are completed. Signals are handled in the main thread only.
    """

    def __init__(self):
        self.received, self._before = None, {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number, frame):
        del frame
        if self.received is None:
            self.received = signal.Signals(number)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    def __exit__(self, *_):
        for number, before in self._before.items():
            signal.signal(number, before)
