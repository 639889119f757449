"""The protocol of inference engines."""

import contextlib
import hashlib
import statistics
import time
from typing import Protocol

import numpy as np


class Engine(Protocol):
    """Runs a generator.

    Attributes:
        multiple: the number that height and width must be multiples of.
        size: the only (height, width) that the network accepts, or None for any.
        match_brightness: whether outputs get the mean brightness of their photos by default.
        has_model: whether the Keras model is available as `model`.
        on_litert: whether LiteRT runs the network.
    """

    multiple: int
    match_brightness: bool
    size: tuple[int, int] | None = None
    has_model: bool = False
    on_litert: bool = False

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """float32 RGB in [-1, 1], (N, H, W, 3), to the same. Raises `MemoryError`."""

    def identity(self) -> str:
        """A digest that identifies the weights."""

    def refuse_too_large(self, height: int, width: int) -> None:
        """Raise `InputError` for an image that is known not to fit into memory."""


class FrameNetwork(Protocol):
    """Runs a generator on the frames of a video in order.

    Attributes:
        memory: the state after the last frame, {name: float32 (1, C)}, or None. It can be set to
            continue from another network of the same weights.
    """

    memory: dict[str, np.ndarray] | None

    def __call__(self, batch: np.ndarray, rates: list[float]) -> np.ndarray:
        """float32 RGB in [-1, 1], (N, H, W, 3), and N rates (see `flicker.Shots`) to the same."""


@contextlib.contextmanager
def memory_errors():
    """A context that raises TensorFlow's error for exhausted memory as `MemoryError`."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError(str(error)) from error


def median_seconds(functions, rounds):
    """The median time of each function in seconds; they are called in turn."""
    taken = [[] for _ in functions]
    for _ in range(rounds):
        for function, seconds in zip(functions, taken, strict=True):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds) for seconds in taken]


def digest(parts):
    """The SHA-256 digest of some byte strings."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def weights_digest(model):
    """The digest of a model's weights."""
    return digest(np.ascontiguousarray(values) for values in model.get_weights())
