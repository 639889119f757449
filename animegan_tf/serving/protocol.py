"""What REST and gRPC calls of TensorFlow Serving share: addresses, errors, trying again.

A connection (`animegan_tf.serving.rest.RestConnection`, `animegan_tf.serving.grpc.GrpcConnection`)
is for one model of one server and has

    versions()                        {version: state}, the state "AVAILABLE" for one that answers
    signatures()                      {name: Signature}
    predict(signature, name, values)  values for the signature's one input and output, both `name`:
                                      a list of bytes, or an integer array (N, ...), and alike back
    close()

all of which raise `ServingError`. No TensorFlow here.
"""

import importlib.util
import time
import urllib.parse
from dataclasses import dataclass

from animegan_tf.errors import InputError

SCHEMES = ("http", "https", "grpc")

_GRPC_PORT = 8500
# Seconds: the first pause before trying again, doubled each time, and the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0
# A server's error may quote the whole request.
_LONGEST_TEXT = 400


class ServingError(OSError):
    """What went wrong with a server, as one line that names it.

    passes: whether it may pass by itself, so that trying again makes sense.
    ends_run: whether it would be the same for every other photo.
    """

    passes = False
    ends_run = False


class Unavailable(ServingError):
    """Nobody listens, or the server says that it cannot answer now."""

    passes = True
    ends_run = True


class Unreachable(ServingError):
    """An address that leads to no server, or to one of another kind."""

    ends_run = True


class ConnectionLost(ServingError):
    """The server hung up amid a request: perhaps because of that request."""

    passes = True


class ModelMissing(ServingError):
    """The server has no such model, or not that version of it."""

    ends_run = True


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a model's signature: dicts of names to types such as "DT_UINT8"."""

    inputs: dict
    outputs: dict


@dataclass(frozen=True)
class Address:
    """A parsed --server: `scheme`, and `base`, HOST:PORT for gRPC and an address for REST."""

    scheme: str
    base: str


def parse_address(server):
    """The `Address` in http://HOST:PORT, https://HOST:PORT[/PATH] or grpc://HOST:PORT.

    Raises `InputError` for anything else, and for gRPC where its packages are not installed.
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


def retried(call, retries, notify=None, pause=time.sleep):
    """`call()`, repeated up to `retries` times while it raises errors that may pass.

    The pauses begin at half a second, double and stop growing at eight seconds; `notify` is
    called with a line before each.
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
    """A server's words without line ends and what else is not printed, cut where they get long."""
    words = " ".join("".join(char if char.isprintable() else " " for char in str(text)).split())
    return words if len(words) <= _LONGEST_TEXT else f"{words[:_LONGEST_TEXT]}…"
