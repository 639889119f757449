"""A network converted for LiteRT and OpenVINO: one file for photos and frames of any size.

`animegan_tf.stylize.stable.converted` writes it. Beside images it takes the averages of the norms'
statistics and returns them; photos restart the averages. No TensorFlow.
"""

import struct
import threading

import numpy as np

from animegan_tf import memory
from animegan_tf.errors import InputError
from animegan_tf.stylize.engines.base import Engine, FrameNetwork
from animegan_tf.stylize.engines.runtimes import RUNTIMES
from animegan_tf.stylize.guided import LIMITS
from animegan_tf.stylize.threads import Stopwatch

# Measured at 512x512 and 768x768; estimated for v1 with OpenVINO. LiteRT copies tensors for
# reflection padding.
_BYTES_PER_PIXEL = {
    "litert": {"v2": 2650, "lite": 1500, "v1": 1900},
    "openvino": {"v2": 1600, "lite": 1000, "v1": 1900},
}
# The errors of damaged files.
NOT_READABLE = (InputError, OSError, KeyError, ValueError, TypeError, RuntimeError, struct.error)


class ConvertedEngine(Engine):
    """A converted network (bytes) with a runtime, "litert" or "openvino". Thread-safe.

    Raises one of `NOT_READABLE` for other files.
    """

    stabilizes = True

    def __init__(self, file, runtime="litert", precision="float32"):
        self._run, self._lock = RUNTIMES[runtime](file, precision), threading.Lock()
        own = self._run.own
        self.arch, self.multiple = own["arch"], own["multiple"]
        self.match_brightness, self._weights = own["match_brightness"], own["weights"]
        # (start, count) of each average in the vector of all averages.
        self.places = own["averages"]
        self.count = sum(count for _, count in self.places.values())
        self.runtime, self.precision = runtime, precision

    def identity(self):
        return self._weights

    def refuse_too_large(self, height, width, share=1.0):
        """Raise `InputError` unless an image fits into this share of the free memory."""
        free, per_pixel = memory.available(), _BYTES_PER_PIXEL[self.runtime][self.arch]
        if free is None:
            return
        needed, there = per_pixel * height * width, share * (free + per_pixel * self._run.held)
        if needed > there:
            raise InputError(
                f"engine: {self.runtime} needs {needed / memory.GIGABYTE:.1f} GB for "
                f"{width}x{height}, but {there / memory.GIGABYTE:.1f} GB are available; keras "
                f"needs less, and {LIMITS}"
            )

    def fits(self, height, width, share=1.0):
        """Whether an image of that size fits into this share of the free memory, if known."""
        try:
            self.refuse_too_large(height, width, share)
        except InputError:
            return False
        return True

    def release(self):
        """Free the memory of the last image."""
        with self._lock:
            if self._run.held:
                self._run.release()

    def step(self, image, rate, averages):
        """The output for an image (1, H, W, 3), and the averages after it (a vector)."""
        with self._lock:
            return self._run(image, np.float32([rate]), averages)

    def __call__(self, batch):
        restart = np.zeros(self.count, np.float32)
        return np.concatenate([self.step(photo[None], 1.0, restart)[0] for photo in batch])

    def frames(self, stabilize=True, count=None, engine="auto"):
        return ConvertedFrames(self)


class ConvertedFrames(FrameNetwork):
    """A `FrameNetwork` of a `ConvertedEngine`, with the `memory` of `stable.StableNetwork`."""

    one_by_one = True

    def __init__(self, engine):
        self._engine, self.memory, self.watch = engine, None, Stopwatch()

    def __call__(self, batch, rates):
        """Raises `InputError` for outputs that are not finite; `memory` is then unchanged."""
        engine, results = self._engine, []
        engine.refuse_too_large(*batch.shape[1:3])
        averages = np.zeros(engine.count, np.float32)
        if self.memory is not None:
            averages = np.concatenate([self.memory[name][0] for name in engine.places])
        with self.watch:
            for frame, rate in zip(batch, rates, strict=True):
                if rate >= 1:  # exactly: not even the rounding depends on the shot before
                    averages = np.zeros(engine.count, np.float32)
                result, averages = engine.step(frame[None], rate, averages)
                results.append(result)
        result = np.concatenate(results)
        if not np.isfinite(result).all():
            raise InputError("checkpoint: the outputs of its network are not finite")
        self.memory = {
            name: averages[None, start : start + count].copy()
            for name, (start, count) in engine.places.items()
        }
        return result
