"""The HTTP API: photos in the response, videos as jobs. `create_app` returns the application.

Errors are `{"error": "a sentence"}` with a status of 4xx, or 503 while the server starts or stops.
"""

import asyncio
import contextlib
import functools
import logging
import shutil
import urllib.parse
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

import animegan_tf
from animegan_tf import styles
from animegan_tf.errors import InputError
from animegan_tf.images import formats
from animegan_tf.web.choices import FilmChoice, PhotoChoice, sentence
from animegan_tf.web.drawing import Busy, Closed
from animegan_tf.web.guard import CONTENT_TYPE, Guard, Metrics
from animegan_tf.web.options import ServeOptions
from animegan_tf.web.studio import Studio, default_make

_LOG = logging.getLogger(__name__)
_SWEEP_SECONDS = 60


def create_app(options: ServeOptions | None = None, *, page: bool = True, make=None):
    """The ASGI application with the API and, with `page`, the page at /.

    make: a function from a style's name to a `Stylizer`; by default it is loaded from its file.
    Raises `InputError` for invalid options.
    """
    options = (options or ServeOptions()).check()
    make = make or functools.partial(default_make, checkpoint=options.checkpoint)
    metrics = Metrics()

    @contextlib.asynccontextmanager
    async def lifespan(app):
        del app
        sweeper = asyncio.create_task(_sweep(studio))
        yield
        sweeper.cancel()
        await run_in_threadpool(studio.close)

    studio = Studio(options, make, metrics)
    app = FastAPI(
        title="animegan_tf",
        version=animegan_tf.__version__,
        description='Photos and videos in anime style. Errors are `{"error": "a sentence"}`.',
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.studio = studio
    app.add_middleware(Guard, most=options.max_upload_mb, seconds=options.timeout, metrics=metrics)
    _add_errors(app)
    _add_service(app, studio)
    _add_photos(app, studio)
    _add_films(app, studio)
    if page:
        from animegan_tf.web.page import mount

        app = mount(app, studio)
    return app


async def _sweep(studio):
    while True:
        await asyncio.sleep(min(_SWEEP_SECONDS, studio.options.keep_seconds))
        await run_in_threadpool(studio.sweep)


# --- errors --------------------------------------------------------------------------------------


def _add_errors(app):
    def add(kind, status, headers=lambda error: None):
        @app.exception_handler(kind)
        async def respond(request, error):
            del request
            return JSONResponse({"error": str(error)}, status, headers(error))

    add(InputError, 400)
    add(Busy, 429, lambda error: {"Retry-After": str(error.seconds)})
    add(Closed, 503, lambda error: {"Retry-After": "60"})

    @app.exception_handler(MemoryError)
    async def too_large(request, error):
        del request, error
        return JSONResponse({"error": "the photo is too large for the server's memory"}, 413)

    @app.exception_handler(StarletteHTTPException)
    async def http(request, error):
        del request
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request, error):
        del request
        return JSONResponse({"error": sentence(error)}, 400)

    @app.exception_handler(Exception)
    async def bug(request, error):  # logged by the server
        del request, error
        return JSONResponse({"error": "an internal error; see the server's log"}, 500)


# --- requests ------------------------------------------------------------------------------------


def _body(choice):
    """The OpenAPI description of a body: a form with a file, or the file itself."""
    fields = choice.model_json_schema()["properties"]
    fields = {"file": {"type": "string", "format": "binary"}, **fields}
    form = {"type": "object", "required": ["file"], "properties": fields}
    raw = {"schema": {"type": "string", "format": "binary"}}
    content = {"multipart/form-data": {"schema": form}, "application/octet-stream": raw}
    return {"requestBody": {"required": True, "content": content}}


@contextlib.asynccontextmanager
async def _upload(request, query, choice):
    """Yield (file or None for a raw body, its name, the `choice` of query and form)."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        yield None, "", query
        return
    async with request.form(max_files=1, max_fields=20) as form:
        file = form.get("file")
        if not hasattr(file, "read"):
            raise InputError("file: expected a form with a file of this name, received none")
        fields = {name: value for name, value in form.items() if name != "file"}
        merged = choice.of({**query.model_dump(exclude_unset=True), **fields})
        yield file, file.filename, merged


def _disposition(name):
    return {"Content-Disposition": f"attachment; filename*=utf-8''{urllib.parse.quote(name)}"}


def _add_photos(app, studio):
    kinds = {f"image/{kind}": {} for kind in formats.WRITTEN}

    @app.post(
        "/v1/stylize",
        summary="Stylise a photo",
        response_class=Response,
        responses={200: {"content": kinds, "description": "The output, with the photo's metadata"}},
        openapi_extra=_body(PhotoChoice),
    )
    async def stylize(request: Request, query: Annotated[PhotoChoice, Query()]):
        studio.drawing.check_room("photo")
        async with _upload(request, query, PhotoChoice) as (file, name, choice):
            data = await (file.read() if file else request.body())
        future = await run_in_threadpool(studio.photo, data, name, choice)
        seconds = studio.options.timeout
        try:
            output = await asyncio.wait_for(asyncio.wrap_future(future), seconds)
        except asyncio.TimeoutError as error:
            text = f"the photo was not finished within {seconds:g} s; try again later"
            raise HTTPException(503, text, {"Retry-After": "30"}) from error
        headers = _disposition(output.name)
        if output.damaged:
            headers["X-Animegan-Damaged"] = "1"
        return Response(output.data, media_type=f"image/{output.kind}", headers=headers)


def _add_films(app, studio):
    def found(film_id):
        if film_id not in studio.films:
            raise HTTPException(404, f"id: expected that of a video, received {film_id!r}")
        return studio.films[film_id]

    def state(film):
        return {
            "id": film.id,
            "state": film.state,
            "frames": film.frames,
            "expected_frames": film.expected,
            "place_in_queue": studio.drawing.place(film.future),
            "error": film.error,
            "notes": film.notes,
            "result": f"/v1/films/{film.id}/result" if film.state == "done" else None,
        }

    @app.post(
        "/v1/films",
        status_code=202,
        summary="Start to stylise a video",
        openapi_extra=_body(FilmChoice),
    )
    async def begin(request: Request, query: Annotated[FilmChoice, Query()]):
        studio.check_room()
        async with _upload(request, query, FilmChoice) as (file, name, choice):
            body = None if file else await request.body()

            def write(path):
                with open(path, "wb") as target:
                    shutil.copyfileobj(file.file, target) if file else target.write(body)

            film = await run_in_threadpool(studio.film, write, name, choice)
        return JSONResponse(state(film), 202, {"Location": f"/v1/films/{film.id}"})

    @app.get("/v1/films/{film_id}", summary="A video's progress")
    async def progress(film_id: str):
        return state(found(film_id))

    @app.get("/v1/films/{film_id}/result", summary="A video's output", response_class=FileResponse)
    async def result(film_id: str):
        film = found(film_id)
        if film.state != "done":
            raise HTTPException(409, f"the video is not finished: {film.error or film.state}")
        return FileResponse(film.output, headers=_disposition(film.output_name))

    @app.delete("/v1/films/{film_id}", status_code=204, summary="Cancel a video, delete its files")
    async def cancel(film_id: str):
        await run_in_threadpool(studio.cancel, found(film_id))


# --- the service itself --------------------------------------------------------------------------


def _add_service(app, studio):
    @app.get("/v1/styles", summary="The styles, the default first")
    async def list_styles():
        return [styles.facts(name) for name in studio.options.styles]

    @app.get("/healthz", summary="Whether the server is ready")
    async def health():
        try:
            ready = studio.ready
        except Exception as error:  # from loading the default style
            _LOG.error("the default style cannot be loaded", exc_info=error)
            raise HTTPException(503, "the default style cannot be loaded") from error
        if not ready:
            raise HTTPException(503, "the default style is being loaded", {"Retry-After": "5"})
        return {"status": "ready", "photos_waiting": studio.drawing.waiting("photo")}

    @app.get("/metrics", summary="Measurements for Prometheus", response_class=Response)
    async def show_metrics():
        return Response(studio.metrics.text(), media_type=CONTENT_TYPE)
