"""Threads for decoding, inference and encoding in parallel.

The network runs in the caller's thread, which also receives signals. A `Feeder` decodes ahead of it
and a `Drain` encodes behind it, each in its own thread. Queues are bounded, so memory does not
depend on the length of the video.
"""

import contextlib
import queue
import threading
import time

_END = object()


class Feeder:
    """Iterates over `items`, which run ahead by up to `depth` items in a thread.

    An exception of the iterator is raised at the position of its item.
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
        # A wait without a timeout would block Ctrl-C on some systems.
        while True:
            with contextlib.suppress(queue.Empty):
                return self._queue.get(timeout=0.1)

    def __iter__(self):
        while (item := self._get()) is not _END:
            if isinstance(item, BaseException):
                raise item
            yield item

    def stop(self):
        """Stop early, and wait for the thread."""
        self._stopped.set()
        self._thread.join()


class Drain:
    """Calls a function in a thread with the items of `put`, up to `depth` items behind.

    An exception of the function is raised by the next `put`, or by `finish`.
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
        """Add an item; blocks while the queue is full."""
        if self._error is not None:
            raise self._error
        self._queue.put(item)

    def finish(self):
        """Wait until all items are processed."""
        self._queue.put(_END)
        self._thread.join()
        if self._error is not None:
            error, self._error = self._error, None
            raise error


class BatchSize:
    """Chooses the fastest batch size by measurement on the first frames."""

    # Maximum time per frame relative to a smaller batch.
    _WORTH = 0.95

    def __init__(self, largest):
        """`largest`: the maximum that fits into memory."""
        self._waiting = [size for size in (1, 2, 4, 8) if size <= max(1, largest)]
        self._seconds = {}
        self._calls = 0
        self.best = None if len(self._waiting) > 1 else 1

    def now(self):
        """The size of the next batch."""
        return self.best or self._waiting[0]

    def took(self, size, seconds):
        """Record the time of a batch of `size` frames."""
        if self.best is not None or size != self._waiting[0]:
            return
        self._calls += 1
        if self._calls == 1:  # the first call of a size includes setup
            return
        self._seconds[size], self._calls = seconds / size, 0
        before = [taken for smaller, taken in self._seconds.items() if smaller < size]
        if before and self._seconds[size] > self._WORTH * min(before):
            self._waiting = [size]  # larger ones are not faster either
        self._waiting.pop(0)
        if not self._waiting:
            self._choose()

    def _choose(self):
        self.best = 1
        for size, seconds in sorted(self._seconds.items()):
            if seconds < self._WORTH * self._seconds[self.best]:
                self.best = size

    def limit(self, largest):
        """Use at most `largest` from now on."""
        self._waiting = [size for size in self._waiting if size <= largest]
        if self.best is None and not self._waiting:
            self._choose()
        if self.best is not None:
            self.best = min(self.best, largest)


class Stopwatch:
    """A context manager that sums up `seconds`; `last` is the time of the last block."""

    def __init__(self):
        self.seconds = self.last = 0.0

    def __enter__(self):
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_):
        self.last = time.perf_counter() - self._began
        self.seconds += self.last
