"""Choice between Keras and LiteRT for video frames, by measurement on the first frames."""

import functools

from animegan_tf.errors import InputError
from animegan_tf.stylize.engines.base import median_seconds
from animegan_tf.stylize.threads import Stopwatch

# Conversion and measurement take about this long; they are skipped for shorter videos.
_WORTH_SECONDS = 60.0
_ROUNDS = 3


class FastestNetwork:
    """A `FrameNetwork` on Keras, or on LiteRT if requested or faster.

    Attributes:
        note: a sentence about the measurement, or None.
        one_by_one: whether the frames of a batch are processed one after the other, as by LiteRT.
        watch: the `Stopwatch` of inference, without conversion and measurement.
    """

    def __init__(
        self, make_keras, make_litert, engine="auto", frames=None, on_gpu=None, cache=None
    ):
        """make_keras: a function that returns the first network. make_litert: a function of
        (height, width) that returns the equivalent LiteRT network, or raises `InputError` for
        frames that do not fit into memory. engine: one of `options.ENGINES`. frames: their number,
        None for endless. on_gpu: a function that returns whether Keras uses a GPU. cache: an
        `AutoEngine`, which caches the LiteRT network for the next video.
        """
        self._make_keras, self._make, self._cache = make_keras, make_litert, cache
        self._network = self._memory = None
        self._engine, self._left = engine, float("inf") if frames is None else frames
        self._on_gpu = on_gpu or _gpu_in_tensorflow
        self._calls, self._seconds, self._settled = 0, 0.0, engine == "keras"
        self.note, self.one_by_one, self.watch = None, engine == "litert", Stopwatch()

    @functools.cached_property
    def _keras(self):
        return self._make_keras()

    @property
    def memory(self):
        return self._memory if self._network is None else self._network.memory

    @memory.setter
    def memory(self, memory):
        if self._network is None:
            self._memory = memory
        else:
            self._network.memory = memory

    def __call__(self, batch, rates):
        if not self._settled:
            self._settle(batch, rates)
        size = batch.shape[1:3]
        # The frame size of a video may change.
        if self._network is None or getattr(self._network, "size", size) != size:
            self._use(self._keras)
        with self.watch:
            result = self._network(batch, rates)
        self._calls, self._left = self._calls + 1, self._left - len(batch)
        self._seconds = self.watch.last / len(batch)
        return result

    def _use(self, network):
        if self.memory is not None:
            network.memory = self.memory
        self._network = network
        self.one_by_one = getattr(network, "one_by_one", False)

    def _settle(self, batch, rates):
        if self._engine == "litert":
            self._settled = True
            self._use(self._make(*batch.shape[1:3]))
            return
        if self._network is None and self._cache is not None:
            cached = self._cache.kept_for_frames(*batch.shape[1:3])
            if cached is not None:
                self._settled = True
                self._use(cached)
                return
        # The first call includes setup; the second is the first useful measurement.
        if self._calls < 2:
            return
        self._settled = True
        if self._on_gpu() or self._left * self._seconds < _WORTH_SECONDS:
            return
        try:
            litert = self._make(*batch.shape[1:3])
        except (InputError, RuntimeError, MemoryError, ImportError):
            return
        by_keras, by_litert = self._compare(litert, batch, rates)
        faster = by_litert < by_keras
        self.note = (
            f"using {'LiteRT' if faster else 'Keras'}: a frame takes {by_litert:.2g} s with "
            f"LiteRT, {by_keras:.2g} s with Keras"
        )
        if faster:
            self._use(litert)
            if self._cache is not None:
                self._cache.keep_for_frames(litert)

    def _compare(self, litert, batch, rates):
        """Median seconds per frame of both networks, alternating; the outputs are discarded."""
        before = self._keras.memory

        def run(network):
            network.memory = before
            network(batch, rates)

        run(litert)
        seconds = median_seconds([lambda: run(self._keras), lambda: run(litert)], _ROUNDS)
        self._keras.memory = before
        return [value / len(batch) for value in seconds]


def _gpu_in_tensorflow():
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
