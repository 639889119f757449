"""Limits of every request, API and page alike: the size of its body and the time it takes.

Also counts requests. An ASGI middleware; it never holds a body in memory.
"""

import asyncio
import time

from fastapi import HTTPException
from fastapi.responses import JSONResponse


class Guard:
    """Wraps `app`. most: megabytes of a body. seconds: for a body to arrive."""

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
            # Of the page's many addresses none has a counter of its own.
            route = getattr(scope.get("route"), "path", "")
            route = route if route.startswith(("/v1", "/healthz", "/metrics")) else "page"
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.request_seconds.labels(route).observe(time.perf_counter() - began)

    def _too_large(self):
        return f"body: expected at most {self._most} MB, received more"

    def _limited(self, receive):
        """`receive` that raises for a body that is too long or too slow."""
        end, size, complete = time.monotonic() + self._seconds, 0, False

        async def limited():
            nonlocal size, complete
            if complete:  # it waits for the end of the connection
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
