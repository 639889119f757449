"""The one thread in which networks run. Photos come first, even between the batches of a film."""

import math
import threading
import time
from collections import deque
from concurrent.futures import Future

# Photos that are drawn between two batches of a film, so that the film goes on too.
_BETWEEN = 4
# When to try again if too many films wait.
_FILM_SECONDS = 60
# Weight of the latest photo in the mean time of photos.
_LATEST = 0.2


class Busy(Exception):
    """Too many wait already; `seconds` is when to try again."""

    def __init__(self, waiting, seconds):
        super().__init__(f"{waiting} are waiting already; try again in {seconds} s")
        self.seconds = seconds


class Closed(Exception):
    """The server is stopping."""

    def __init__(self):
        super().__init__("the server is stopping; try again in a minute")


class Drawing:
    """Runs work in one thread: `photo(work)` and `film(work)` return a `Future` of its result.

    most_photos, most_films: how many wait; fewer photos if they would wait for over `patience` s.
    """

    def __init__(self, most_photos, most_films, patience):
        self._most = {"photo": most_photos, "film": most_films}
        self._waiting = {"photo": deque(), "film": deque()}
        self._changed, self._closed = threading.Condition(), False
        self._photo_seconds, self._patience = 1.0, patience
        self._thread = threading.Thread(target=self._run, name="drawing", daemon=True)
        self._thread.start()

    def waiting(self, kind):
        """Number of photos or films ("photo", "film") that wait."""
        return len(self._futures(kind))

    def place(self, future):
        """The place of a film in the queue from 1 on; 0 once it is being drawn."""
        waiting = self._futures("film")
        return waiting.index(future) + 1 if future in waiting else 0

    def _futures(self, kind):
        """Those that wait, without those that were cancelled."""
        with self._changed:
            return [future for future, _ in self._waiting[kind] if not future.cancelled()]

    def _next(self, kind):
        with self._changed:
            return self._waiting[kind].popleft()

    def check_room(self, kind):
        """Raise `Busy` or `Closed` if nothing of this kind is accepted now."""
        if self._closed:
            raise Closed
        count = self.waiting(kind)
        seconds = self._photo_seconds * count if kind == "photo" else _FILM_SECONDS
        if count >= self._most[kind] or (kind == "photo" and count and seconds > self._patience):
            raise Busy(f"{count} {kind}s", max(1, math.ceil(seconds)))

    def photo(self, work):
        """Draw before all films."""
        return self._add("photo", work)

    def film(self, work):
        """Draw after the films before; `work` calls `draw_photos` now and then."""
        return self._add("film", work)

    def _add(self, kind, work):
        future = Future()
        with self._changed:
            self.check_room(kind)
            self._waiting[kind].append((future, work))
            self._changed.notify()
        return future

    def draw_photos(self):
        """Draw photos that wait; for films, between their batches."""
        for _ in range(_BETWEEN):
            if not self._waiting["photo"]:
                break
            self._draw_photo()

    def _draw_photo(self):
        began = time.perf_counter()
        self._do(*self._next("photo"))
        took = time.perf_counter() - began
        self._photo_seconds += _LATEST * (took - self._photo_seconds)

    def _run(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or any(self._waiting.values()))
            if self._waiting["photo"]:
                self._draw_photo()
            elif self._closed:
                break
            else:
                self._do(*self._next("film"))

    def _do(self, future, work):
        # Not those whose visitor has stopped waiting.
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    def close(self):
        """Accept nothing more, draw the photos that wait, drop the films, and wait for the end."""
        with self._changed:
            self._closed = True
            for future, _ in self._waiting["film"]:
                future.cancel()
            self._waiting["film"].clear()
            self._changed.notify()
        self._thread.join()
