"""A server on 127.0.0.1 for the tests of downloads, well-behaved or not."""

import contextlib
import http.server
import io
import sys
import threading

from animegan_tf import published, styles


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append(self.path)
        answer = next((a for end, a in server.answers.items() if self.path.endswith(end)), whole)
        with contextlib.suppress(ConnectionError):  # the client may leave early
            answer(self, server.files.get(self.path))

    def start(self, length=None, status=200, kind="application/octet-stream", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` (by path) from a port of its own; `answers` replaces how, by a path's end."""

    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.answers, self.asked = {}, {}, []
        self.leave = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def add(self, path, files):
        for suffix, data in files.items():
            self.files[path + suffix] = data
        name = path.rpartition("/")[2]
        state = f'model_checkpoint_path: "D:\\\\old\\\\{name}"\n'
        self.files[path.rpartition("/")[0] + "/checkpoint"] = state.encode()


@contextlib.contextmanager
def running(server):
    """Run an HTTP server that has an event `leave`, in a thread."""
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.leave.set()
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def serving(monkeypatch):
    """Run a `Server`, with nothing of the person's own that fetching looks at."""
    for name in (published.STYLES_VARIABLE, published.MIRROR_VARIABLE, "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running(Server()) as server:
        yield server


# --- answers: functions of the handler and of the file that was asked for, None without one -------


def whole(handler, data):
    if data is None:
        handler.start(14, status=404, kind="text/plain")
        handler.wfile.write(b"404: Not Found")
    else:
        handler.start(len(data))
        handler.wfile.write(data)


def web_page(handler, data):
    handler.start(kind="text/html; charset=utf-8")
    handler.wfile.write(b"<html>Please log in</html>")


def unlabelled_web_page(handler, data):
    handler.start()
    handler.wfile.write(b"<html>Please log in</html>" * 100)


def cut(handler, data):
    handler.start(len(data))
    handler.wfile.write(data[: len(data) // 2])


def cut_without_length(handler, data):
    handler.start()
    handler.wfile.write(data[: len(data) // 2])


def cut_in_a_chunk(handler, data):
    handler.protocol_version = "HTTP/1.1"
    handler.close_connection = True
    handler.start(**{"Transfer-Encoding": "chunked"})
    handler.wfile.write(b"ffff\r\n" + data[:1000])


def another_length(handler, data):
    handler.start(len(data) + 4)
    handler.wfile.write(data + b"more")


def endless(handler, data):
    handler.start()
    for _ in range(400):  # 25 MB at the most
        if handler.server.leave.is_set():
            return
        handler.wfile.write(b"\0" * 2**16)


def huge(handler, data):
    handler.start(10**12)
    handler.server.leave.wait(5)


def silent(handler, data):
    handler.server.leave.wait(5)


def stalled(handler, data):
    handler.start(len(data))
    handler.wfile.write(data[:1500])
    handler.server.leave.wait(5)


def dripping(handler, data):
    handler.start(len(data))
    for start in range(100):
        handler.wfile.write(data[start : start + 1])
        if handler.server.leave.wait(0.02):
            return


def hung_up(handler, data):
    handler.close_connection = True


def nonsense(handler, data):
    handler.close_connection = True
    handler.wfile.write(b"220 no HTTP spoken here\r\n")


def broken(handler, data):
    handler.start(0, status=503)


def empty(handler, data):
    handler.start(0)


# --- for tests of styles -------------------------------------------------------------------------

INDEX, DATA = ".index", ".data-00000-of-00001"
# Where the server has the checkpoints of two styles.
V2_HAYAO = (
    "/TachibanaYoshino/AnimeGANv2/7d480eab25a501dfbed8c21cce43e7bf0ecdff60"
    "/checkpoint/generator_Hayao_weight/Hayao-99.ckpt"
)
V1_HAYAO = "/TachibanaYoshino/AnimeGAN/master/checkpoint/generator_Hayao_weight/Hayao-60.ckpt"


def obtain(server, folder, name="hayao", **options):
    mirror = {"mirror": server.url, "accept_license": True, "timeout": 0.5}
    return styles.obtain(name, styles_dir=folder, **{**mirror, **options})


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


def shown(monkeypatch, answer=""):
    """A terminal at which `answer` is typed; returns what it shows."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    return screen
