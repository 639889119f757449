"""Shows the step of a photo that takes long."""

import contextlib
import contextvars
import sys
import threading
import time

from tqdm import tqdm

from animegan_tf.errors import printable

# Seconds after which a step is printed if there is no bar.
_LONG = 5
_current = contextvars.ContextVar("current", default=None)


def step(text):
    """Show the step that begins now, such as "drawing at 1280x720", within `shown`."""
    steps = _current.get()
    if steps is not None:
        steps.begin(text)


def is_shown():
    """Whether progress is shown."""
    return _current.get() is not None


@contextlib.contextmanager
def shown(name, bar):
    """A context in which the steps of the photo `name` are shown in `bar`, a `tqdm`.

    If the bar is disabled (the error stream is not a terminal), steps of more than five seconds are
    printed, one line each.
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
        self._text, self._since, self._printed = text, time.monotonic(), False
        self._bar.set_postfix_str(f"{self._name}: {text}")

    def tick(self):
        """Update the time in the bar until `done` is set."""
        while not self.done.wait(1):
            if not self._bar.disable:
                self._bar.refresh()
            elif not self._printed and time.monotonic() - self._since >= _LONG:
                self._printed = True
                line = f"{self._name}: {self._text}, which takes more than {_LONG} seconds"
                tqdm.write(printable(line).replace("\n", "\\n"), file=sys.stderr)
