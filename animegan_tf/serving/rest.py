"""TensorFlow Serving over REST, with the standard library. Source: its "RESTful API" document.

Binary strings are {"b64": ...} in JSON; the response of a signature with one output has no output
name. Proxies come from the environment; redirects are not followed, since they lose a POST.
"""

import base64
import binascii
import http.client
import json
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request

import numpy as np

from animegan_tf import download
from animegan_tf.serving.protocol import (
    ConnectionLost,
    ModelMissing,
    ServingError,
    Signature,
    Unavailable,
    Unreachable,
    one_line,
)

_CHUNK = 2**20
# Bytes of the body of an error response.
_LONGEST_ERROR = 2**20
# 502 is what a proxy in front says while the server itself starts.
_UNAVAILABLE = (502, 503)
_MOVED = (301, 302, 303, 307, 308)


class RestConnection:
    """A `protocol.Connection` over REST."""

    def __init__(self, base, model, version, timeout, max_message_mb):
        self._base, self._timeout, self._most = base, timeout, max_message_mb * 2**20
        at_version = "" if version is None else f"/versions/{version}"
        self._url = f"{base}/v1/models/{urllib.parse.quote(model, safe='')}{at_version}"

    def versions(self):
        response = self._request("")
        try:
            found = {int(one["version"]): one["state"] for one in response["model_version_status"]}
        except (KeyError, TypeError, ValueError, OverflowError):
            raise self._unexpected("a model's status", response) from None
        return found

    def signatures(self):
        response = self._request("/metadata")
        try:
            signatures = response["metadata"]["signature_def"]["signature_def"]
            return {
                name: Signature(_types(signature.get("inputs")), _types(signature.get("outputs")))
                for name, signature in signatures.items()
            }
        except (KeyError, TypeError, AttributeError):
            raise self._unexpected("a model's metadata", response) from None

    def predict(self, signature, name, values):
        del name  # a single input or output is sent without its name
        if isinstance(values, np.ndarray):
            instances = values.tolist()
        else:
            instances = [{"b64": base64.b64encode(value).decode("ascii")} for value in values]
        response = self._request(":predict", {"signature_name": signature, "instances": instances})
        try:
            predictions = response["predictions"]
            if isinstance(values, np.ndarray):
                return np.asarray(predictions)
            return [base64.b64decode(item["b64"], validate=True) for item in predictions]
        except (KeyError, TypeError, ValueError, binascii.Error):
            what = "rows of numbers" if isinstance(values, np.ndarray) else '{"b64": ...}'
            raise self._unexpected(f'"predictions" of {what}', response) from None

    def close(self):
        pass

    def _request(self, path, content=None):
        """The JSON object that the server returns for a GET, or for a POST of `content`."""
        body = None if content is None else json.dumps(content).encode("ascii")
        headers = {} if body is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, body, headers)
        try:
            with download.open_in_time(request, self._timeout, _NoRedirects) as response:
                received = _whole(response, self._timeout, self._most)
        except _TooLong:
            raise ServingError(
                f"{self._base}: expected a response of at most {self._most // 2**20} MB "
                "(--max_message_mb), received more"
            ) from None
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            wrapped = isinstance(error, urllib.error.URLError)
            raise self._failed(error.reason if wrapped else error) from error
        try:
            parsed = json.loads(received)
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict):
            raise self._unexpected("a JSON object", received.decode("utf-8", "replace"))
        return parsed

    def _unexpected(self, expected, response):
        received = json.dumps(response) if isinstance(response, dict) else response
        return ServingError(
            f"{self._base}: expected {expected} from TensorFlow Serving, received "
            f"{one_line(received) or 'nothing'}"
        )

    def _refused(self, error):
        """The `ServingError` for a response with an error status."""
        try:
            body = _whole(error, self._timeout, _LONGEST_ERROR).decode("utf-8", "replace")
        except (_TooLong, OSError, ValueError, http.client.HTTPException):
            body = ""
        if error.code in _MOVED:
            target = error.headers.get("Location", "another address")
            return ServingError(f"{self._base}: redirects to {one_line(target)}; use that instead")
        message = _error_message(body)
        said = one_line(message or body) or one_line(error.reason)
        text = f"{self._base}: the server returned {error.code}: {said}"
        if error.code in _UNAVAILABLE:
            return Unavailable(text)
        # Other web servers return 404 too, without this message.
        if error.code == 404 and message:
            return ModelMissing(text)
        return ServingError(text)

    def _failed(self, error):
        """The `ServingError` for an exception of a socket or the HTTP library."""
        if isinstance(error, TimeoutError):
            return ServingError(f"{self._base}: no response within {self._timeout:g} s (timeout)")
        reason = one_line(getattr(error, "strerror", None) or error) or type(error).__name__
        if isinstance(error, ConnectionRefusedError):
            return Unavailable(f"{self._base}: no connection: {reason}")
        if isinstance(error, (ConnectionError, http.client.IncompleteRead)):
            return ConnectionLost(f"{self._base}: connection lost: {reason}")
        if isinstance(error, (http.client.HTTPException, ssl.SSLError)):
            return Unreachable(
                f"{self._base}: not an {self._base.partition(':')[0].upper()} server: {reason} "
                "(TensorFlow Serving has REST, http://, at 8501 and gRPC, grpc://, at 8500)"
            )
        return Unreachable(f"{self._base}: no connection: {reason}")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def _types(named):
    return {name: info["dtype"] for name, info in (named or {}).items()}


class _TooLong(Exception):
    """The response has more bytes than allowed."""


def _whole(response, timeout, most):
    """The body. The socket's time-out starts anew with each byte, so the time is also kept here."""
    end, chunks, received = time.monotonic() + timeout, [], 0
    while chunk := response.read1(_CHUNK):
        chunks.append(chunk)
        received += len(chunk)
        if received > most:
            raise _TooLong
        if time.monotonic() > end:
            raise TimeoutError
    if response.length:
        raise ConnectionResetError("the response is incomplete")
    return b"".join(chunks)


def _error_message(body):
    """The text in {"error": text}, or None.

    The server escapes it as in C, not as in JSON: with an apostrophe it is invalid JSON.
    """
    try:
        parsed = json.loads(body)
        return str(parsed["error"]) if isinstance(parsed, dict) and "error" in parsed else None
    except (ValueError, RecursionError):
        pass
    found = re.fullmatch(r'\s*\{\s*"error"\s*:\s*"(.*)"\s*\}\s*', body, re.DOTALL)
    if found is None:
        return None
    said = re.sub(rb"\\([0-7]{1,3}|x[0-9a-fA-F]{2}|.)", _unescaped, found[1].encode("utf-8"))
    return said.decode("utf-8", "replace")


def _unescaped(match):
    escaped = match[1]
    if escaped[:1].isdigit() and escaped < b"8":
        return bytes([int(escaped, 8) & 0xFF])
    if escaped.startswith(b"x") and len(escaped) == 3:
        return bytes([int(escaped[1:], 16)])
    return {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(escaped, escaped)
