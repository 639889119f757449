"""Limits of all requests (size of the body, time to arrive), and measurements for Prometheus."""

import asyncio
import time

from fastapi import HTTPException
from fastapi.responses import JSONResponse
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


class Guard:
    """ASGI middleware around `app` that limits and counts requests; bodies are not stored.

    most: megabytes of a body. seconds: for a body to arrive.
    """

    def __init__(self, app, most, seconds, metrics):
        self._app, self._most, self._seconds, self._metrics = app, most, seconds, metrics

    async def __call__(self, scope, receive, send):
        """See the ASGI specification."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def watched_send(message):
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            length = dict(scope["headers"]).get(b"content-length", b"0")
            if not length.isdigit() or int(length) > self._most * 10**6:
                response = JSONResponse({"error": self._too_large()}, 413, {"Connection": "close"})
                await response(scope, receive, watched_send)
            else:
                await self._app(scope, self._limited(receive), watched_send)
        finally:
            # The page has many addresses; they share one counter.
            route = getattr(scope.get("route"), "path", "")
            route = route if route.startswith(("/v1", "/healthz", "/metrics")) else "page"
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.request_seconds.labels(route).observe(time.perf_counter() - began)

    def _too_large(self):
        return f"body: expected at most {self._most} MB, received more"

    def _limited(self, receive):
        """`receive` that raises for a body that is too large or too slow."""
        end, size, complete = time.monotonic() + self._seconds, 0, False

        async def limited():
            nonlocal size, complete
            if complete:  # only the end of the connection may follow
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), end - time.monotonic())
            except asyncio.TimeoutError as error:
                text = f"body: expected within {self._seconds:g} s, received {size} bytes"
                raise HTTPException(408, text) from error
            size += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if size > self._most * 10**6:
                raise HTTPException(413, self._too_large())
            return message

        return limited


class Metrics:
    """Counters and timings of one server, in a registry of its own.

    Attributes:
        requests: by `route` and `status`.
        request_seconds: by `route`, from the first byte of the request to the end of the response.
        photo_seconds: time of the drawing thread for each photo.
        frames: number of video frames.
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
        self.frames = Counter("animegan_frames", "Video frames processed", registry=registry)
        self._waiting = Gauge("animegan_waiting", "In the queue", ("kind",), registry=registry)
        self._films = Gauge("animegan_films_drawing", "Videos being processed", registry=registry)

    def watch(self, drawing, count_films):
        """Measure the queues of a `Drawing`, and the number that `count_films()` returns."""
        for kind in ("photo", "film"):
            self._waiting.labels(kind).set_function(lambda kind=kind: drawing.waiting(kind))
        self._films.set_function(count_films)

    def text(self):
        """All measurements in Prometheus' text format, bytes."""
        return generate_latest(self._registry)
