"""The protocol of inference engines."""

import contextlib
import hashlib
from typing import Protocol

import numpy as np

from animegan_tf.stylize.threads import Stopwatch


class Engine(Protocol):
    """Runs a generator.

    Attributes:
        multiple: the number that height and width must be multiples of.
        size: the only (height, width) that the network accepts, or None for any.
        match_brightness: whether outputs get the mean brightness of their photos by default.
        stabilizes: whether `frames` can smooth the statistics of the norms.
    """

    multiple: int
    match_brightness: bool
    size: tuple[int, int] | None = None
    stabilizes: bool = False

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """float32 RGB in [-1, 1], (N, H, W, 3), to the same. Raises `MemoryError`."""

    def identity(self) -> str:
        """A digest that identifies the weights."""

    def refuse_too_large(self, height: int, width: int) -> None:
        """Raise `InputError` for an image that is known not to fit into memory."""

    def note(self) -> str | None:
        """What runs the network, such as "LiteRT, float32"; None before the first image."""

    def frames(
        self, stabilize: bool = True, count: int | None = None, engine: str = "auto"
    ) -> "FrameNetwork":
        """The network for the frames of a video.

        count: their number, None for endless. engine: one of `options.ENGINES`; "auto" is this one.
        """
        return PlainFrames(self)


class FrameNetwork(Protocol):
    """Runs a generator on the frames of a video in order.

    Attributes:
        memory: the state after the last frame, {name: float32 (1, C)}, or None. It can be set to
            continue from another network of the same weights.
        one_by_one: whether the frames of a batch are processed one after the other.
        watch: the time of inference alone.
        note: what runs the network, or None.
    """

    one_by_one: bool = False
    watch: Stopwatch
    note: str | None = None
    memory: dict[str, np.ndarray] | None

    def __call__(self, batch: np.ndarray, rates: list[float]) -> np.ndarray:
        """float32 RGB in [-1, 1], (N, H, W, 3), and N rates (see `flicker.Shots`) to the same."""


class PlainFrames(FrameNetwork):
    """An engine, which processes each frame independently."""

    memory = None

    def __init__(self, engine):
        self._engine, self.watch = engine, Stopwatch()

    def __call__(self, batch, rates):
        del rates
        self._engine.refuse_too_large(*batch.shape[1:3])
        with self.watch:
            return self._engine(batch)


@contextlib.contextmanager
def memory_errors():
    """A context that raises TensorFlow's error for exhausted memory as `MemoryError`."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError(str(error)) from error


def digest(parts):
    """The SHA-256 digest of some byte strings."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def weights_digest(model):
    """The digest of a model's weights."""
    return digest(np.ascontiguousarray(values) for values in model.get_weights())
