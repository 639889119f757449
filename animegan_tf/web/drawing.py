"""The thread in which networks run. Photos come first, even between the batches of a video."""

import math
import threading
import time
from collections import deque
from concurrent.futures import Future

# Maximum number of photos between two batches of a video, so that the video continues.
_BETWEEN = 4
# Seconds after which to try again if too many videos wait.
_FILM_SECONDS = 60
# Weight of the latest photo in the mean time of photos.
_LATEST = 0.2


class Busy(Exception):
    """The queue is full; `seconds` is the time after which to try again."""

    def __init__(self, waiting, seconds):
        super().__init__(f"{waiting} are already waiting; try again in {seconds} s")
        self.seconds = seconds


class Closed(Exception):
    """The server is stopping."""

    def __init__(self):
        super().__init__("the server is stopping; try again in a minute")


class Drawing:
    """Runs functions in one thread: `photo(work)` and `film(work)` return a `Future`.

    most_photos, most_films: maximum numbers in the queues; fewer photos if they would wait longer
    than `patience` seconds.
    """

    def __init__(self, most_photos, most_films, patience):
        self._most = {"photo": most_photos, "film": most_films}
        self._waiting = {"photo": deque(), "film": deque()}
        self._changed, self._closed = threading.Condition(), False
        self._photo_seconds, self._patience = 1.0, patience
        self._thread = threading.Thread(target=self._run, name="drawing", daemon=True)
        self._thread.start()

    def waiting(self, kind):
        """The number of waiting photos or videos ("photo", "film")."""
        return len(self._futures(kind))

    def place(self, future):
        """The place of a video in the queue, from 1; 0 once it has started."""
        waiting = self._futures("film")
        return waiting.index(future) + 1 if future in waiting else 0

    def _futures(self, kind):
        """Futures in the queue, without cancelled ones."""
        with self._changed:
            return [future for future, _ in self._waiting[kind] if not future.cancelled()]

    def _next(self, kind):
        with self._changed:
            return self._waiting[kind].popleft()

    def check_room(self, kind):
        """Raise `Busy` or `Closed` if no more photos or videos are accepted."""
        if self._closed:
            raise Closed
        count = self.waiting(kind)
        seconds = self._photo_seconds * count if kind == "photo" else _FILM_SECONDS
        if count >= self._most[kind] or (kind == "photo" and count and seconds > self._patience):
            raise Busy(f"{count} {kind}s", max(1, math.ceil(seconds)))

    def photo(self, work):
        """Run before all videos."""
        return self._add("photo", work)

    def film(self, work):
        """Run after earlier videos; `work` calls `draw_photos` between batches."""
        return self._add("film", work)

    def _add(self, kind, work):
        future = Future()
        with self._changed:
            self.check_room(kind)
            self._waiting[kind].append((future, work))
            self._changed.notify()
        return future

    def draw_photos(self):
        """Process waiting photos, between the batches of a video."""
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
        # Skip it if the visitor has stopped waiting.
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    def close(self):
        """Finish waiting photos, cancel waiting videos, and stop the thread."""
        with self._changed:
            self._closed = True
            for future, _ in self._waiting["film"]:
                future.cancel()
            self._waiting["film"].clear()
            self._changed.notify()
        self._thread.join()
