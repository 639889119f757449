"""Stylise photos and videos over HTTP: `web` with a page for visitors, `serve` only the API.

    animegan web
    animegan serve --port=8080 --styles=thequestion-lite --max_megapixels=12
    curl -F file=@holiday.jpg -F strength=0.8 http://127.0.0.1:7860/v1/stylize -o anime.jpg

Only this computer can connect, unless --host is set (--host=0.0.0.0: all networks). /docs describes
the API. Files of visitors are deleted after an hour. SIGTERM and Ctrl-C finish the waiting photos.
Needs pip install 'animegan_tf[web]'.
"""

import functools
import os
import socket

from absl import flags

from animegan_tf import cli
from animegan_tf.errors import InputError
from animegan_tf.signals import Signals
from animegan_tf.web.options import ServeOptions

FLAGS = flags.FLAGS
# Maximum number of connections; more are refused with the status 503.
_CONNECTIONS = 256
# Seconds for requests to end after SIGTERM.
_GRACE = 30


def _define_flags(page):
    flags.DEFINE_bool("page", page, "Serve the page at / besides the API.")
    flags.DEFINE_string("host", "127.0.0.1", "Address to listen at; 0.0.0.0 for all networks.")
    flags.DEFINE_integer("port", 7860, "Port to listen at; 0 chooses a free port.")
    flags.DEFINE_list(
        "styles",
        [],
        "Styles that visitors can choose, the default first. Default: those that need no download.",
    )
    cli.define_fields(ServeOptions)


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
    options = ServeOptions(FLAGS.styles, **cli.read_fields(ServeOptions)).check()
    quiet = {"checkpoint": options.checkpoint, "quietly": cli.muted_stderr}
    make = functools.partial(studio.default_make, **quiet)
    family = socket.AF_INET6 if ":" in FLAGS.host else socket.AF_INET
    try:
        listening = socket.create_server((FLAGS.host, FLAGS.port), family=family)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"port: expected a free port at {FLAGS.host}, received {FLAGS.port} ({error})"
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
