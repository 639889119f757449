"""`animegan_tf.serving.client` with servers that fail, and with mistakes in how it is called."""

import base64
import contextlib
import json

import cv2
import grpc
import numpy as np
import pytest
from serving_stub import rest_error, serving_grpc, serving_rest
from serving_toy import asked_to_predict, call, free_port

from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.serving import client, protocol, rest
from animegan_tf.serving.client import ServingConfig
from animegan_tf.serving.protocol import ServingError, Unavailable

pytestmark = pytest.mark.usefixtures("quick_tries")


# --- servers that fail ---------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_nobody_listens(noise_photos, tmp_path, capsys, scheme):
    url = f"{scheme}://127.0.0.1:{free_port()}"
    with pytest.raises(Unavailable, match=r"127.0.0.1:.*refused") as caught:
        call(url, noise_photos, tmp_path / "out", retries=2, progress=True)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().err.count("trying again in") == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("serving", [serving_rest, serving_grpc])
def test_a_server_that_is_still_starting(served, noise_photos, tmp_path, monkeypatch, serving):
    """Refused at first; it listens before the third try."""
    port, shown = free_port(), []
    with contextlib.ExitStack() as running:

        def show(line):
            shown.append(line)
            if len(shown) == 2:
                running.enter_context(serving(served, port))

        monkeypatch.setattr(client, "_show", show)
        scheme = "http" if serving is serving_rest else "grpc"
        url = f"{scheme}://127.0.0.1:{port}"
        report = call(url, noise_photos, tmp_path / "out", retries=5, progress=True)
    assert len(report.written) == 3
    assert all("trying again in" in line for line in shown[:2])
    assert shown[-1] == f"3 photos to {url}: animegan version 2"


def test_not_ready_for_a_while(any_server, noise_photos, tmp_path):
    def busy(handler):
        if isinstance(handler, grpc.ServicerContext):
            handler.abort(grpc.StatusCode.UNAVAILABLE, "The batch scheduling queue is full")
        handler.send(503, rest_error("The batch scheduling queue is full"))

    any_server.faults.extend([busy, None, None, busy, busy])
    report = call(any_server, noise_photos, tmp_path / "out", retries=2)
    assert len(report.written) == 3
    any_server.faults.extend([None, None, None, busy])
    with pytest.raises(Unavailable, match="queue is full; 1 of 3 results were written") as caught:
        call(any_server, noise_photos, tmp_path / "again", retries=0)
    assert "\n" not in str(caught.value)
    assert [path.name for path in (tmp_path / "again").iterdir()] == ["0.png"]


def test_a_version_that_is_still_loading(any_server, served, noise_photos, tmp_path, monkeypatch):
    monkeypatch.setattr(served, "states", {1: "LOADING", 2: "LOADING"})
    with pytest.raises(
        Unavailable, match="is not available: version 1 is LOADING, version 2 is LOAD"
    ):
        call(any_server, noise_photos, tmp_path / "out", retries=1)
    assert any_server.asked[0] == any_server.asked[1]
    monkeypatch.setattr(served, "states", {1: "AVAILABLE", 2: "LOADING"})
    assert len(call(any_server, noise_photos, tmp_path / "out").written) == 3
    with pytest.raises(Unavailable, match="version 2 is LOADING"):
        call(any_server, noise_photos, tmp_path / "more", version=2, retries=0)


def test_time_outs(any_server, noise_photos, tmp_path):
    def silent(_):
        any_server.leave.wait(5)

    any_server.faults.append(silent)
    with pytest.raises(ServingError, match=r"127.0.0.1:\d+: no response within 0.3 s \(timeout\)"):
        call(any_server, noise_photos, tmp_path / "out", timeout=0.3)
    assert len(any_server.asked) == 1  # it may be at work on it: not asked again
    any_server.faults.extend([None, None, None, silent])
    report = call(any_server, noise_photos, tmp_path / "out", timeout=0.5)
    assert [path.name for path, _ in report.failed] == ["1.png"]
    assert len(report.written) == 2


def test_an_answer_that_drips(rest_server, noise_photos, tmp_path):
    def drip(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(50):
            handler.wfile.write(b" ")
            if rest_server.leave.wait(0.05):
                return

    rest_server.faults.extend([None, None, drip])
    report = call(rest_server, noise_photos / "0.png", tmp_path / "out", timeout=0.4)
    assert "no response within 0.4 s" in report.failed[0][1]


def test_headers_that_drip(rest_server, noise_photos, tmp_path):
    def drip(handler):
        for _ in range(50):
            handler.wfile.write(b"H")
            if rest_server.leave.wait(0.05):
                return

    rest_server.faults.append(drip)
    with pytest.raises(ServingError, match=r"no response within 0.4 s"):
        call(rest_server, noise_photos, tmp_path / "out", timeout=0.4)


def test_the_size_of_an_output_is_compared_before_it_is_decoded(
    rest_server, noise_photos, tmp_path, monkeypatch
):
    huge = base64.b64encode(cv2.imencode(".png", np.zeros((3000, 2500), np.uint8))[1]).decode()
    body = json.dumps({"predictions": [{"b64": huge}]}).encode()
    rest_server.faults.extend([None, None, lambda handler: handler.send(200, body)])
    decoded, decode = [], images.decode_photo
    monkeypatch.setattr(images, "decode_photo", lambda *a: decoded.append(a) or decode(*a))
    report = call(rest_server, noise_photos / "0.png", tmp_path / "out")
    assert "received 2500x3000" in report.failed[0][1]
    assert len(decoded) == 1  # the photo


@pytest.mark.parametrize("status", (200, 400))
def test_an_answer_without_end(rest_server, noise_photos, tmp_path, status):
    sent = []

    def endless(handler):
        handler.send_response(status)
        handler.end_headers()
        for _ in range(400):
            try:
                handler.wfile.write(b" " * 2**16)
            except OSError:
                return
            sent.append(2**16)

    rest_server.faults.extend([None, None, endless])
    options = {"timeout": 20, "max_message_mb": 2}
    report = call(rest_server, noise_photos / "0.png", tmp_path / "out", **options)
    reason = "expected a response of at most 2 MB" if status == 200 else "the server returned 400"
    assert reason in report.failed[0][1]
    assert sum(sent) < 20 * 2**20


@pytest.mark.parametrize(
    "body",
    (
        b"[" * 200_000,
        b'{"model_version_status": [{"version": 1e999, "state": "AVAILABLE"}]}',
        b'{"error": "' + b"-" * 100_000 + b'\\1"}',
    ),
)
def test_answers_that_would_break_a_reader(rest_server, noise_photos, tmp_path, body):
    rest_server.faults.append(lambda handler: handler.send(200, body))
    with pytest.raises(ServingError, match="from TensorFlow Serving, received"):
        call(rest_server, noise_photos, tmp_path / "out")
    rest_server.faults.append(lambda handler: handler.send(400, body))
    with pytest.raises(ServingError, match="the server returned 400"):
        call(rest_server, noise_photos, tmp_path / "out")


def test_what_a_server_escapes_is_read_and_not_evaluated():
    said = rest._error_message(r"""{"error": "\303\274ber \'it\' \x41 \"q\" + "b"}""")
    assert said == """über 'it' A "q" + "b"""


def test_connections_that_are_lost_are_made_anew(rest_server, noise_photos, tmp_path):
    def hang_up(handler):
        handler.close_connection = True

    def cut(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"predictions": [')
        handler.close_connection = True

    rest_server.faults.extend([None, None, hang_up, cut])
    assert len(call(rest_server, noise_photos, tmp_path / "out", retries=2).written) == 3
    rest_server.faults.extend([None, None, hang_up, None, cut])
    report = call(rest_server, noise_photos, tmp_path / "again", retries=0)
    assert [path.name for path, _ in report.failed] == ["0.png", "2.png"]
    assert all("connection lost" in reason for _, reason in report.failed)


@pytest.mark.parametrize("options", [{"model": "other"}, {"version": 7}])
def test_unknown_models(any_server, noise_photos, tmp_path, options):
    match = "Could not find any versions of model other|Could not find version 7 of model animegan"
    with pytest.raises(ServingError, match=f"the server returned (404|NOT_FOUND): ({match})"):
        call(any_server, noise_photos, tmp_path / "out", **options)
    assert asked_to_predict(any_server) == 0
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_taken_away(any_server, served, noise_photos, tmp_path, monkeypatch):
    original = served.predict

    def predict(*arguments):
        answer = original(*arguments)
        monkeypatch.setattr(served, "states", {})
        return answer

    monkeypatch.setattr(served, "predict", predict)
    with pytest.raises(
        ServingError, match=r"Servable not found for request: Latest\(animegan\); 1"
    ):
        call(any_server, noise_photos, tmp_path / "out")


def test_unknown_signatures(any_server, noise_photos, tmp_path, monkeypatch):
    more = {**client.SIGNATURES, "more": ("x", "DT_UINT8"), "other": ("x", "DT_STRING")}
    monkeypatch.setattr(client, "SIGNATURES", more)
    has = "it has image_bytes, other, raw, serving_default$"
    with pytest.raises(ServingError, match=f"animegan has no signature more; {has}"):
        call(any_server, noise_photos, tmp_path / "out", signature="more")
    with pytest.raises(
        ServingError,
        match=r"other to take and return DT_STRING x, .* takes DT_STRING photo_bytes and returns "
        "DT_STRING first and DT_INT32 length",
    ):
        call(any_server, noise_photos, tmp_path / "out", signature="other")
    assert asked_to_predict(any_server) == 0


def test_addresses_of_something_else(rest_server, grpc_server, noise_photos, tmp_path):
    rest_server.faults.append(lambda handler: handler.send(404, b"<h1>Not Found</h1>", "text/html"))
    with pytest.raises(ServingError, match="the server returned 404: <h1>Not Found</h1>"):
        call(rest_server, noise_photos, tmp_path / "out")
    there = {"Location": "http://elsewhere/"}
    rest_server.faults.append(lambda handler: handler.send(302, b"", **there))
    with pytest.raises(ServingError, match="redirects to http://elsewhere/; use that instead"):
        call(rest_server, noise_photos, tmp_path / "out")
    for other in (
        grpc_server.url.replace("grpc", "http"),
        rest_server.url.replace("http", "https"),
    ):
        with pytest.raises(ServingError, match=r"(not an HTTPS? server|connection lost)") as caught:
            call(other, noise_photos, tmp_path / "out", timeout=5, retries=0)
        assert str(caught.value).isprintable()
    url = rest_server.url.replace("http", "grpc")
    with pytest.raises(ServingError, match=f"^{url}: not available: "):
        call(url, noise_photos, tmp_path / "out", timeout=5, retries=0)
    assert not (tmp_path / "out").exists()


def test_a_path_before_the_api(rest_server, noise_photos, tmp_path):
    with pytest.raises(ServingError, match="400: Malformed request: GET /tf/v1/models/animegan"):
        call(f"{rest_server.url}/tf/", noise_photos, tmp_path / "out")


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"server": "localhost:8501"}, "server: expected http://HOST:8501"),
        ({"server": "ftp://localhost"}, "server: expected http://HOST:8501"),
        ({"server": "http://"}, "server: expected http://HOST:8501"),
        ({"server": "http://a:b"}, "server: expected http://HOST:8501"),
        ({"server": "http://a b"}, "server: expected http://HOST:8501"),
        ({"server": "http://me:secret@a"}, "server: expected http://HOST:8501"),
        ({"server": "http://a/?x=1"}, "server: expected http://HOST:8501"),
        ({"server": "grpc://a/path"}, "server: expected http://HOST:8501"),
        ({"server": None}, "server: expected http://HOST:8501"),
        ({"model": ""}, "model: expected the name"),
        ({"signature": "raw"}, "signature: expected one of image_bytes, serving_default"),
        ({"timeout": 0}, "timeout: expected seconds above 0, received 0"),
        ({"timeout": float("nan")}, "timeout: expected"),
        ({"version": -1}, "version: expected a whole number of at least 0, received -1"),
        ({"retries": -1}, "retries: expected"),
        ({"batch": 0}, "batch: expected"),
        (
            {"max_message_mb": 2048},
            "max_message_mb: expected a whole number from 1 to 2047",
        ),
    ],
)
def test_mistakes_in_the_configuration(options, message):
    with pytest.raises(InputError, match=message):
        ServingConfig(**{"server": "http://localhost:8501", **options}).check()


@pytest.mark.parametrize(
    ("server", "base"),
    [
        ("http://localhost:8501", "http://localhost:8501"),
        ("https://host/tf/", "https://host/tf"),
        ("grpc://host", "host:8500"),
        ("grpc://host:9000", "host:9000"),
        ("grpc://[::1]", "[::1]:8500"),
    ],
)
def test_addresses(server, base):
    address = ServingConfig(server).check()
    assert (address.scheme, address.base) == (server.partition(":")[0], base)


def test_grpc_without_its_packages(monkeypatch):
    absent = {"tensorflow_serving"}
    monkeypatch.setattr(
        protocol.importlib.util,
        "find_spec",
        lambda name: None if name in absent else name,
    )
    with pytest.raises(InputError, match=r"pip install 'animegan_tf\[serving\]'"):
        ServingConfig("grpc://localhost").check()
    assert ServingConfig("http://localhost").check().scheme == "http"


def test_pauses_double_up_to_eight_seconds(monkeypatch):
    monkeypatch.setattr(protocol, "_FIRST_PAUSE", 0.5)
    pauses, tries = [], []

    def fail():
        tries.append(None)
        raise Unavailable("away")

    with pytest.raises(Unavailable):
        protocol.retried(fail, 6, pause=pauses.append)
    assert (pauses, len(tries)) == ([0.5, 1, 2, 4, 8, 8], 7)
