"""What is being done to a photo, shown while it takes long."""

import contextlib
import contextvars
import sys
import threading
import time

from tqdm import tqdm

from animegan_tf.errors import printable

# Seconds after which a step is worth a line where no bar is shown.
_LONG = 5
_current = contextvars.ContextVar("current", default=None)


def step(text):
    """Say what begins now, such as "drawing at 1280x720"; nothing outside of `shown`."""
    steps = _current.get()
    if steps is not None:
        steps.begin(text)


@contextlib.contextmanager
def shown(name, bar):
    """Within it, steps of the work on the photo `name` are shown in `bar`, whose clock runs on.

    Where the bar is disabled (the error stream is no terminal), steps of more than five seconds are
    printed, one line each. `bar`: a `tqdm`.
    """
    steps = _Steps(name, bar)
    token = _current.set(steps)
    ticking = threading.Thread(target=steps.tick, daemon=True)
    ticking.start()
    try:
        yield
    finally:
        _current.reset(token)
        steps.done.set()
        ticking.join()
        bar.set_postfix_str("", refresh=False)


class _Steps:
    def __init__(self, name, bar):
        self._name, self._bar, self.done = name, bar, threading.Event()
        self.begin("reading")

    def begin(self, text):
        self._text, self._since, self._said = text, time.monotonic(), False
        self._bar.set_postfix_str(f"{self._name}: {text}")

    def tick(self):
        """Show the time that has passed, until `done` is set."""
        while not self.done.wait(1):
            if not self._bar.disable:
                self._bar.refresh()
            elif not self._said and time.monotonic() - self._since >= _LONG:
                self._said = True
                line = f"{self._name}: {self._text}, which takes more than {_LONG} seconds"
                tqdm.write(printable(line).replace("\n", "\\n"), file=sys.stderr)
