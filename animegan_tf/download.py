"""Download of a file over HTTP with the standard library, with limits of size and time.

Redirects are followed, but not from https to anything else; proxies come from the environment.
"""

import concurrent.futures
import hashlib
import http.client
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from tqdm import tqdm

import animegan_tf

# Seconds without data after which a download fails.
TIMEOUT = 30.0

_CHUNK = 2**16
# Minimum average speed in bytes per second: a slow server may never reach the timeout.
_SLOWEST = 1000


class DownloadError(OSError):
    """An error of a download, with a one-line message that contains the URL."""


def download(url, path, *, size=None, limit=None, timeout=TIMEOUT):
    """Download `url` to the new file `path`; returns its SHA-256 in hexadecimal.

    size: the exact size in bytes, or None if only a `limit` is known; one of both is required.
    timeout: maximum seconds without data.

    Shows a progress bar on a terminal. Raises `DownloadError` for errors of the network or the
    server (no connection, an error status, a web page, another size, a stall) and `OSError` if the
    file cannot be written; `path` may then be incomplete.
    """
    most = limit if size is None else size
    digest, received = hashlib.sha256(), 0
    with _open(url, timeout) as response, open(path, "xb") as file:
        _check_headers(url, response, size, most)
        expected = response.length if size is None else size
        shown = {"unit": "B", "unit_scale": True, "desc": url.rpartition("/")[2]}
        with tqdm(total=expected, disable=None, **shown) as bar:
            for chunk in _chunks(url, response, timeout):
                received += len(chunk)
                if received > most:
                    raise DownloadError(f"{url}: expected at most {most:,} bytes, received more")
                file.write(chunk)
                digest.update(chunk)
                bar.update(len(chunk))
    if expected is not None and received != expected:
        raise DownloadError(
            f"{url}: cut off, expected {expected:,} bytes, received {received:,} bytes"
        )
    return digest.hexdigest()


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https, but not from https to http: files have no signature."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if urllib.parse.urlsplit(newurl).scheme not in ("https", req.type):
            reason = f"with a redirect to {newurl}, which is not followed"
            raise urllib.error.HTTPError(req.full_url, code, reason, headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def open_in_time(request, timeout, *handlers):
    """The response to a URL or `urllib.request.Request`, by `handlers` of urllib.

    timeout: seconds until the headers are there; a thread waits for them, since a socket's timeout
    restarts with each byte. Raises `TimeoutError`, and what `OpenerDirector.open` does.
    """
    # `urlopen` caches the proxies of its first call.
    opener = urllib.request.build_opener(*handlers)
    opener.addheaders = [("User-Agent", f"animegan_tf/{animegan_tf.__version__}")]
    response = concurrent.futures.Future()

    def wait():
        try:
            response.set_result(opener.open(request, timeout=timeout))
        except BaseException as error:
            response.set_exception(error)

    threading.Thread(target=wait, daemon=True).start()
    if not concurrent.futures.wait([response], timeout).done:
        raise TimeoutError("no complete response")
    return response.result()


def _open(url, timeout):
    try:
        return open_in_time(url, timeout, _Redirects)
    except urllib.error.HTTPError as error:
        with error:
            reason = " ".join(str(error.reason).split())
            raise DownloadError(f"{url}: the server responded {error.code} {reason}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _failed(url, getattr(error, "reason", error), timeout) from error


def _check_headers(url, response, size, most):
    """Raise `DownloadError` if the headers show another file than expected."""
    if response.headers.get_content_type() == "text/html":
        raise DownloadError(
            f"{url}: expected a checkpoint file, received a web page (does this network ask to log "
            "in first?)"
        )
    announced, expected = response.length, f"at most {most:,}" if size is None else f"{size:,}"
    if announced is not None and (announced > most or size not in (None, announced)):
        raise DownloadError(f"{url}: expected {expected} bytes, the server has {announced:,} bytes")


def _chunks(url, response, timeout):
    """Yield the body as it arrives; `read` would wait for full chunks."""
    start, received = time.monotonic(), 0
    while True:
        try:
            chunk = response.read1(_CHUNK)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise _failed(url, error, timeout, received) from error
        if not chunk:
            return
        received += len(chunk)
        seconds = time.monotonic() - start
        if seconds > timeout and received < _SLOWEST * seconds:
            raise DownloadError(f"{url}: too slow, {received:,} bytes in {seconds:.0f} s")
        yield chunk


def _failed(url, error, timeout, received=None):
    """The `DownloadError` for an exception after `received` bytes; None before the connection."""
    after = "" if received is None else f" after {received:,} bytes"
    if isinstance(error, TimeoutError):
        return DownloadError(f"{url}: no data for {timeout:g} s{after}")
    what = "no connection" if received is None else "connection lost"
    reason = " ".join(str(getattr(error, "strerror", None) or error).split())
    return DownloadError(f"{url}: {what}{after}: {reason or type(error).__name__}")
