"""Shared by REST and gRPC clients of TensorFlow Serving: connection, addresses, errors, retries.

No TensorFlow here.
"""

import importlib.util
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from animegan_tf.errors import InputError

_Result = TypeVar("_Result")
_Values = TypeVar("_Values", list[bytes], np.ndarray)

SCHEMES = ("http", "https", "grpc")

_GRPC_PORT = 8500
# Seconds: the first pause before a retry, which is then doubled, and the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0
# Error messages of a server may quote the whole request.
_LONGEST_TEXT = 400


class ServingError(OSError):
    """An error of a server, with a one-line message that names the server.

    passes: whether the error may be temporary, so that a retry makes sense.
    ends_run: whether all other photos would fail too.
    """

    passes = False
    ends_run = False


class Unavailable(ServingError):
    """The connection is refused, or the server is not ready."""

    passes = True
    ends_run = True


class Unreachable(ServingError):
    """There is no server at the address, or one of another kind."""

    ends_run = True


class ConnectionLost(ServingError):
    """The server closed the connection during a request, perhaps because of that request."""

    passes = True


class ModelMissing(ServingError):
    """The server does not have this model, or not this version."""

    ends_run = True


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a model's signature: dicts of names to types such as "DT_UINT8"."""

    inputs: dict[str, str]
    outputs: dict[str, str]


class Connection(Protocol):
    """A connection to one model of one server. All methods raise `ServingError`."""

    def versions(self) -> dict[int, str]:
        """{version: state}; the state is "AVAILABLE" for a version that can be called."""

    def signatures(self) -> dict[str, Signature]:
        """The model's signatures by name."""

    def predict(self, signature: str, name: str, values: _Values) -> _Values:
        """Call a signature whose single input and output are both named `name`.

        values: a list of bytes, or an integer array (N, ...); the output has the same type.
        """

    def close(self) -> None:
        """Close the connection."""


@dataclass(frozen=True)
class Address:
    """A parsed --server: `scheme`, and `base`, which is HOST:PORT for gRPC and a URL for REST."""

    scheme: str
    base: str


def parse_address(server: str) -> Address:
    """Parse http://HOST:PORT, https://HOST:PORT[/PATH] or grpc://HOST:PORT.

    Raises `InputError` for anything else, and for gRPC if its packages are not installed.
    """
    expected = "server: expected http://HOST:8501, https://HOST or grpc://HOST:8500, received"
    try:
        parts = urllib.parse.urlsplit(str(server))
        port = parts.port
    except ValueError:
        raise InputError(f"{expected} {server!r}") from None
    path = parts.path.rstrip("/")
    plain = not (parts.query or parts.fragment or parts.username is not None)
    if parts.scheme not in SCHEMES or not parts.hostname or not plain or set(server) & set(" \t\n"):
        raise InputError(f"{expected} {server!r}")
    if parts.scheme != "grpc":
        return Address(parts.scheme, f"{parts.scheme}://{parts.netloc}{path}")
    if path:
        raise InputError(f"{expected} {server!r}")
    if not all(map(importlib.util.find_spec, ("grpc", "tensorflow_serving"))):
        raise InputError(
            "server: grpc:// needs packages that are not installed: "
            "pip install 'animegan_tf[serving]' (http:// works without)"
        )
    return Address("grpc", parts.netloc if port else f"{parts.netloc.rstrip(':')}:{_GRPC_PORT}")


def retried(
    call: Callable[[], _Result],
    retries: int,
    notify: Callable[[str], None] | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> _Result:
    """`call()`, with up to `retries` retries after temporary errors.

    The pauses start at half a second and double up to eight seconds; `notify` is called with a line
    of text before each.
    """
    seconds = _FIRST_PAUSE
    for left in range(retries, -1, -1):
        try:
            return call()
        except ServingError as error:
            if not error.passes or not left:
                raise
            if notify is not None:
                notify(f"{error}; trying again in {seconds:g} s")
        pause(seconds)
        seconds = min(2 * seconds, _LONGEST_PAUSE)
    raise AssertionError("unreachable")


def one_line(text):
    """A server's message without line breaks and unprintable characters, truncated if long."""
    words = " ".join("".join(char if char.isprintable() else " " for char in str(text)).split())
    return words if len(words) <= _LONGEST_TEXT else f"{words[:_LONGEST_TEXT]}…"
