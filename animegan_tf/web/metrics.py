"""The server's measurements for Prometheus, in a registry of their own."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)


class Metrics:
    """Counters and timings of one server; `text` is their page.

    Attributes:
        requests: by `route` and `status`. request_seconds: by `route`, from the first byte of the
            request to the end of the response.
        photo_seconds: of the drawing thread for each photo. frames: of films.
    """

    def __init__(self):
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "animegan_requests", "Requests", ("route", "status"), registry=registry
        )
        self.request_seconds = Histogram(
            "animegan_request_seconds", "Seconds from request to response", ("route",),
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.photo_seconds = Histogram(
            "animegan_photo_seconds", "Seconds of the drawing thread for a photo",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.frames = Counter("animegan_frames", "Frames of films drawn", registry=registry)
        self._waiting = Gauge("animegan_waiting", "In the queue", ("kind",), registry=registry)
        self._films = Gauge("animegan_films_drawing", "Films being drawn", registry=registry)

    def watch(self, drawing, count_films):
        """Show the queues of a `Drawing`, and the number that `count_films()` returns."""
        for kind in ("photo", "film"):
            self._waiting.labels(kind).set_function(lambda kind=kind: drawing.waiting(kind))
        self._films.set_function(count_films)

    def text(self):
        """The page that Prometheus reads, bytes."""
        return generate_latest(self._registry)
