"""Decoding, the network and encoding at the same time, with a few frames between them.

The network runs in the caller's thread, which also gets signals; a `Feeder` decodes ahead of it and
a `Drain` encodes behind it, each in a thread of its own. Queues are bounded, so memory does not
depend on the film's length.
"""

import contextlib
import queue
import threading
import time

_END = object()


class Feeder:
    """Runs an iterator in a thread, at most `depth` items ahead; iterate over it.

    An error of the iterator is raised where its item would have come.
    """

    def __init__(self, items, depth):
        self._queue, self._stopped = queue.Queue(depth), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(items,), daemon=True)
        self._thread.start()

    def _run(self, items):
        try:
            for item in items:
                self._put(item)
                if self._stopped.is_set():
                    break
        except BaseException as error:
            self._put(error)
        finally:
            # A generator is closed by the thread that runs it.
            close = getattr(items, "close", None)
            if close is not None:
                close()
        self._put(_END)

    def _put(self, item):
        while not self._stopped.is_set():
            try:
                return self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
        return None

    def _get(self):
        # A wait without an end would not let Ctrl-C through on every system.
        while True:
            with contextlib.suppress(queue.Empty):
                return self._queue.get(timeout=0.1)

    def __iter__(self):
        while (item := self._get()) is not _END:
            if isinstance(item, BaseException):
                raise item
            yield item

    def stop(self):
        """End early, and wait for the thread."""
        self._stopped.set()
        self._thread.join()


class Drain:
    """Calls a function in a thread with what is `put`, at most `depth` items behind.

    An error of the function is raised by the next `put`, or by `finish`.
    """

    def __init__(self, function, depth):
        self._function, self._queue, self._error = function, queue.Queue(depth), None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while (item := self._queue.get()) is not _END:
            if self._error is None:
                try:
                    self._function(item)
                except BaseException as error:
                    self._error = error

    def put(self, item):
        """Hand an item over, waiting while the queue is full."""
        if self._error is not None:
            raise self._error
        self._queue.put(item)

    def finish(self):
        """Wait until everything is done."""
        self._queue.put(_END)
        self._thread.join()
        if self._error is not None:
            error, self._error = self._error, None
            raise error


class BatchSize:
    """How many frames the network is given at once: the fastest, measured on the first frames."""

    # A batch has to be this much faster per frame than a smaller one.
    _WORTH = 0.95

    def __init__(self, largest):
        """`largest` that fits into memory."""
        self._waiting = [size for size in (1, 2, 4, 8) if size <= max(1, largest)]
        self._seconds = {}
        self._calls = 0
        self.best = None if len(self._waiting) > 1 else 1

    def now(self):
        """That of the next call."""
        return self.best or self._waiting[0]

    def took(self, size, seconds):
        """The last call: `size` frames, fewer at the end of a segment."""
        if self.best is not None or size != self._waiting[0]:
            return
        self._calls += 1
        if self._calls == 1:  # the first of a size also sets up
            return
        self._seconds[size], self._calls = seconds / size, 0
        before = [self._seconds[one] for one in self._seconds if one < size]
        if before and self._seconds[size] > self._WORTH * min(before):
            self._waiting = [size]  # larger ones will not be faster either
        self._waiting.pop(0)
        if not self._waiting:
            self._choose()

    def _choose(self):
        self.best = 1
        for one in sorted(self._seconds):
            if self._seconds[one] < self._WORTH * self._seconds[self.best]:
                self.best = one

    def limit(self, largest):
        """No more than `largest` from now on: memory is full, or more at once are no faster."""
        self._waiting = [size for size in self._waiting if size <= largest]
        if self.best is None and not self._waiting:
            self._choose()
        if self.best is not None:
            self.best = min(self.best, largest)


class Stopwatch:
    """Adds up the seconds of the blocks it is used with; `last` is that of the latest."""

    def __init__(self):
        self.seconds = self.last = 0.0

    def __enter__(self):
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_):
        self.last = time.perf_counter() - self._began
        self.seconds += self.last
