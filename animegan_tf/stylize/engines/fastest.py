"""Keras or LiteRT for the frames of a film: measured on its first ones, the faster goes on."""

import functools
import statistics
import time

from animegan_tf.errors import InputError
from animegan_tf.stylize.threads import Stopwatch

# Converting a network and trying both takes about this long: shorter films are done without.
_WORTH_SECONDS = 60.0
_ROUNDS = 3


class FastestNetwork:
    """A Keras network for frames, with LiteRT in its place where that is asked for or faster.

    `network(batch, rates)` as `animegan_tf.stylize.stable.StableNetwork`, and `memory` with it.

    Attributes:
        note: what was measured, a sentence, or None.
        one_by_one: whether several frames at once are done one after the other, as LiteRT does.
        watch: the `Stopwatch` of the frames' own work, without what choosing took.
    """

    def __init__(
        self, make_keras, make_litert, engine="auto", frames=None, on_gpu=None, cache=None
    ):
        """make_keras: a function that makes what runs at first. make_litert: a function of (height,
        width) that makes its equal, or raises `InputError` for frames that are too large for it.
        engine: one of `options.ENGINES`. frames: how many there will be, None for
        endless. on_gpu: a function that says whether Keras has a GPU. cache: an `AutoEngine`, which
        keeps what was faster for the next film.
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
        # Frames of a film may change their size.
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
            kept = self._cache.kept_for_frames(*batch.shape[1:3])
            if kept is not None:
                self._settled = True
                self._use(kept)
                return
        # The first call is slow whatever comes, and the second is the first to be believed.
        if self._calls < 2:
            return
        self._settled = True
        if self._on_gpu() or self._left * self._seconds < _WORTH_SECONDS:
            return
        try:
            litert = self._make(*batch.shape[1:3])
        except (InputError, RuntimeError, MemoryError, ImportError):
            return
        seconds = self._compare(litert, batch, rates)
        faster = seconds[litert] < seconds[self._keras]
        self.note = (
            f"frames are done by {'LiteRT' if faster else 'Keras'}: "
            f"{seconds[litert]:.2g} s each, by Keras {seconds[self._keras]:.2g} s"
        )
        if faster:
            self._use(litert)
            if self._cache is not None:
                self._cache.keep_for_frames(litert)

    def _compare(self, litert, batch, rates):
        """Median seconds a frame of both, in turn, on frames that are then done again."""
        before, taken = self._keras.memory, {self._keras: [], litert: []}
        litert.memory = before
        litert(batch, rates)
        for _ in range(_ROUNDS):
            for network, seconds in taken.items():
                network.memory = before
                start = time.perf_counter()
                network(batch, rates)
                seconds.append((time.perf_counter() - start) / len(batch))
        self._keras.memory = before
        return {network: statistics.median(seconds) for network, seconds in taken.items()}


def _gpu_in_tensorflow():
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
