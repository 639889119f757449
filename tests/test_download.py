import hashlib
import time
import urllib.error
import urllib.request

import pytest
from file_server import serving, shown, whole

from animegan_tf import download
from animegan_tf.download import DownloadError


@pytest.fixture
def server(monkeypatch):
    with serving(monkeypatch) as server:
        yield server


def fetched(server, tmp_path, answer, data=b"data" * 5000, **options):
    server.files["/a"] = data
    server.answers["/a"] = answer
    options = {"size": len(data), "timeout": 0.6, **options}
    checksum = download.download(f"{server.url}/a", tmp_path / "a", **options)
    assert (tmp_path / "a").read_bytes() == data
    assert checksum == hashlib.sha256(data).hexdigest()


def test_a_slow_server_is_waited_for(server, tmp_path):
    def slow(handler, data):
        handler.start(len(data))
        for start in range(0, len(data), 2000):
            time.sleep(0.1)
            handler.wfile.write(data[start : start + 2000])

    start = time.monotonic()
    fetched(server, tmp_path, slow)
    assert time.monotonic() - start > 0.9  # longer than the time-out


@pytest.mark.parametrize("options", [{}, {"size": None, "limit": 20000}])
def test_a_server_that_tells_no_length(server, tmp_path, options):
    def chunked(handler, data):
        handler.protocol_version = "HTTP/1.1"
        handler.close_connection = True
        handler.start(**{"Transfer-Encoding": "chunked"})
        for piece in (data[:9000], data[9000:], b""):
            handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")

    fetched(server, tmp_path, chunked, **options)


def test_redirects_are_followed(server, tmp_path):
    data = b"data" * 5000
    server.files["/elsewhere"] = data

    def redirect(handler, _):
        handler.start(0, status=302, Location="/elsewhere")

    fetched(server, tmp_path, redirect, data)
    assert server.asked == ["/a", "/elsewhere"]


def test_endless_redirects(server, tmp_path):
    server.answers["/a"] = lambda handler, _: handler.start(0, status=302, Location="/a")
    with pytest.raises(DownloadError, match="/a: the server responded 302 "):
        download.download(f"{server.url}/a", tmp_path / "a", size=1, timeout=5)
    assert len(server.asked) < 30


@pytest.mark.parametrize("part", [b"HTTP/1.1 200 OK", b"X-A: " + b"a" * 60, b"100"])
def test_headers_that_drip_meet_the_time_out(server, tmp_path, part):
    def drip(handler, _):
        handler.close_connection = True
        if part == b"100":
            pieces = [b"HTTP/1.1 100 Continue\r\n\r\n"] * 60
        else:
            first = b"" if part.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\n"
            pieces = [first, *(bytes([one]) for one in part)]
        for piece in pieces:
            handler.wfile.write(piece)
            if handler.server.leave.wait(0.1):
                return

    start = time.monotonic()
    with pytest.raises(DownloadError, match=r"/a: no data for 0\.4 s"):
        fetched(server, tmp_path, drip, timeout=0.4)
    assert time.monotonic() - start < 0.8


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/a", "file:///a"])
def test_redirects_out_of_http_are_refused(server, tmp_path, target):
    server.answers["/a"] = lambda handler, _: handler.start(0, status=302, Location=target)
    with pytest.raises(DownloadError, match="/a: the server responded 302 ") as raised:
        download.download(f"{server.url}/a", tmp_path / "a", size=1, timeout=5)
    assert target in str(raised.value)
    assert not (tmp_path / "a").exists()


def test_a_redirect_to_no_address(server, tmp_path):
    server.answers["/a"] = lambda handler, _: handler.start(0, status=302, Location="http://[a/")
    with pytest.raises(DownloadError, match=r"/a: no connection: Invalid IPv6 URL"):
        download.download(f"{server.url}/a", tmp_path / "a", size=1, timeout=5)


@pytest.mark.parametrize(
    ("start", "target", "followed"),
    [("https", "http", False), ("https", "https", True), ("http", "https", True)],
)
def test_redirects_do_not_leave_https(start, target, followed):
    request = urllib.request.Request(f"{start}://a.invalid/a")
    given = (request, None, 302, "Found", {}, f"{target}://b.invalid/a")
    if followed:
        new = download._Redirects().redirect_request(*given)
        assert new.full_url == "https://b.invalid/a"
    else:
        with pytest.raises(urllib.error.HTTPError, match="not followed"):
            download._Redirects().redirect_request(*given)


def test_proxies_come_from_the_environment(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    server.files["http://far.invalid/a"] = b"data"
    download.download("http://far.invalid/a", tmp_path / "a", size=4, timeout=5)
    assert (tmp_path / "a").read_bytes() == b"data"


def test_a_bar_is_shown_at_a_terminal(server, tmp_path, monkeypatch):
    screen = shown(monkeypatch)
    fetched(server, tmp_path, whole)
    assert "a: 100%" in screen.getvalue()
    assert "20.0k/20.0k" in screen.getvalue()
