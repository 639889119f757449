"""Stylise photos and films over HTTP: `web` with a page for visitors, `serve` the API alone.

    animegan web
    animegan serve --port=8080 --styles=thequestion-lite --max_megapixels=12
    curl -F file=@holiday.jpg -F strength=0.8 http://127.0.0.1:7860/v1/stylize -o anime.jpg

Only this computer reaches the server unless --host says otherwise (--host=0.0.0.0: all networks).
/docs describes the API. Files of visitors are deleted after an hour. SIGTERM and Ctrl-C finish the
photos that wait. Needs pip install 'animegan_tf[web]'.
"""

import dataclasses
import functools
import os
import socket

from absl import flags

from animegan_tf import cli
from animegan_tf.errors import InputError
from animegan_tf.signals import Signals

FLAGS = flags.FLAGS
# Connections at once; more are refused with the status 503.
_CONNECTIONS = 256
# Seconds for requests to end after SIGTERM.
_GRACE = 30


def _define_flags(page):
    flags.DEFINE_bool("page", page, "Serve the page at / besides the API.")
    flags.DEFINE_string("host", "127.0.0.1", "Address to listen at; 0.0.0.0 is every network's.")
    flags.DEFINE_integer("port", 7860, "Port to listen at; 0 chooses a free one.")
    flags.DEFINE_list(
        "styles",
        [],
        "Styles that visitors can choose, the default first. Default: those that need no download.",
    )
    flags.DEFINE_string(
        "checkpoint",
        None,
        "Instead of styles: a run directory, a .weights.h5 file or an export of one's own.",
    )
    flags.DEFINE_float("max_megapixels", 40.0, "Largest photo, or frame of a film, in megapixels.")
    flags.DEFINE_integer("max_upload_mb", 64, "Largest upload in megabytes.")
    flags.DEFINE_float("max_film_seconds", 120.0, "Longest film, or part of one, in seconds.")
    flags.DEFINE_integer("queue", 16, "Photos that wait at once; others are refused (status 429).")
    flags.DEFINE_integer("film_queue", 4, "Films that wait at once.")
    flags.DEFINE_float("timeout", 60.0, "Seconds for an upload, and for a photo to be done.")
    flags.DEFINE_float("keep_seconds", 3600.0, "Age at which files of visitors are deleted.")


def main(argv):
    """Serve until SIGTERM or Ctrl-C."""
    cli.refuse_arguments(argv)
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import uvicorn

        from animegan_tf.web import app, studio
    except ModuleNotFoundError as error:
        raise InputError(
            f"web: expected pip install 'animegan_tf[web]', found no {error.name}"
        ) from error
    fields = dataclasses.fields(app.ServeOptions)
    options = app.ServeOptions(**{field.name: FLAGS[field.name].value for field in fields}).check()
    quiet = {"checkpoint": options.checkpoint, "quietly": cli.muted_stderr}
    make = functools.partial(studio.default_make, **quiet)
    family = socket.AF_INET6 if ":" in FLAGS.host else socket.AF_INET
    try:
        listening = socket.create_server((FLAGS.host, FLAGS.port), family=family)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"port: expected a free one at {FLAGS.host}, received {FLAGS.port} ({error})"
        ) from error
    with listening:
        config = uvicorn.Config(
            app.create_app(options, page=FLAGS.page, make=make),
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_GRACE,
        )
        port = listening.getsockname()[1]
        host = f"[{FLAGS.host}]" if ":" in FLAGS.host else FLAGS.host
        print(f"http://{host}:{port} (Ctrl-C ends it)", flush=True)
        with Signals():  # uvicorn raises the signal again after it has stopped
            uvicorn.Server(config).run(sockets=[listening])
    return 0


def console(page=True):
    """Entry point of `animegan web`."""
    _define_flags(page)
    cli.run(main, __name__, __doc__)


def console_serve():
    """Entry point of `animegan serve`."""
    console(page=False)


if __name__ == "__main__":
    console()
