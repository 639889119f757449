"""The default engine: starts with Keras, switches to LiteRT after about 20 s of work.

The network is then converted for LiteRT, which is faster on most CPUs. The converted file is stored
in the user's cache, so that the next run starts with it immediately, without TensorFlow. Networks
for video frames are cached in the same way. With a GPU, only Keras is used.
"""

import contextlib
import hashlib
import importlib.metadata
import os
import struct
import time
from pathlib import Path

import numpy as np

from animegan_tf import memory, storage
from animegan_tf.errors import InputError
from animegan_tf.stylize.engines.base import median_seconds
from animegan_tf.stylize.engines.keras import KerasEngine
from animegan_tf.stylize.engines.litert import (
    TFLITE_SUFFIX,
    LiteRTEngine,
    refuse_large_for_litert,
)

# Conversion and comparison take about half of this on two cores.
_WORTH_SECONDS = 20.0
# Number of cached files; each is as large as its weights.
_KEPT = 16
# Part of their names, to be increased when the conversion changes.
_FORMAT = 4
# Length of the SHA-256 that precedes the network in a cached file.
_DIGEST = 32
# Maximum share of free memory for LiteRT if it was not requested.
_MEMORY_SHARE = 0.5
_TRIED_SIDE, _ROUNDS, _TOLERANCE = 256, 2, 1e-3
_NOT_READABLE = (InputError, OSError, KeyError, ValueError, RuntimeError, struct.error)
_GPU_FILES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
_GPU_PACKAGE = "tensorflow-metal"


def is_ready(file):
    """Whether `AutoEngine(file)` starts without TensorFlow."""
    if gpu_in_sight():
        return False
    kept = kept_file(file)
    return kept is not None and kept.is_file()


def gpu_in_sight():
    """Whether there may be a GPU, detected without loading TensorFlow."""
    if any(Path(name).exists() for name in _GPU_FILES):
        return True
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return bool(importlib.metadata.version(_GPU_PACKAGE))
    return False


def kept_file(file):
    """The path of the cached conversion of `file`, or None for a user without a home folder."""
    digest = hashlib.sha256(memory.read_bytes(file)).hexdigest()
    with contextlib.suppress(RuntimeError):
        return storage.user_cache() / "litert" / f"{digest[:32]}-{_FORMAT}{TFLITE_SUFFIX}"
    return None


class AutoEngine:
    """`KerasEngine` or `LiteRTEngine` for the weights file `file`.

    `quietly` is a function that returns a context manager, used while TensorFlow or LiteRT is
    loaded after the constructor; a command line can hide their messages. Raises `InputError` for a
    file without a generator.
    """

    size = None
    has_model = True

    def __init__(self, file, quietly=contextlib.nullcontext):
        self._file = Path(file)
        self._quietly = quietly
        self._keras = self._litert = None
        self._seconds = 0.0
        # The path depends on the contents, since a training run may replace the file at any time.
        self._kept = kept_file(file)
        if self._kept is not None and not gpu_in_sight():
            self._litert = _load_kept(self._kept)
        if self._litert is None:
            self._keras = self._load_keras()
        self._settled = self._litert is not None or self._keras.on_gpu

    def _load_keras(self):
        from animegan_tf.networks.weights import load_generator

        return KerasEngine(load_generator(self._file))

    @property
    def keras(self):
        """The `KerasEngine`, loaded on first use."""
        if self._keras is None:
            if not self._unchanged():
                raise InputError(f"checkpoint: {self._file} has changed since it was first read")
            with self._quietly():
                self._keras = self._load_keras()
        return self._keras

    def _unchanged(self):
        with contextlib.suppress(OSError):
            return kept_file(self._file) == self._kept
        return False

    @property
    def model(self):
        """The Keras model, loaded on first use."""
        return self.keras.model

    @property
    def multiple(self):
        return (self._litert or self._keras).multiple

    @property
    def match_brightness(self):
        return (self._litert or self._keras).match_brightness

    def identity(self):
        return (self._litert or self.keras).identity()

    @property
    def on_litert(self):
        """Whether LiteRT is used for images that fit into memory with it."""
        return self._litert is not None

    def refuse_too_large(self, height, width):
        if not self._use_litert(height, width):
            self.keras.refuse_too_large(height, width)

    def _use_litert(self, height, width):
        if self._litert is None:
            return False
        if not self._litert.fits(height, width, _MEMORY_SHARE):
            self._litert.release()  # Keras needs that memory
            return False
        return True

    def __call__(self, batch):
        # Before the work, so that the conversion never delays the end of the last photo.
        if not self._settled and self._seconds > _WORTH_SECONDS:
            self._settled = True
            with self._quietly():
                self._litert = self._converted()
        if self._use_litert(*batch.shape[1:3]):
            with contextlib.suppress(MemoryError):
                return self._litert(batch)
        start = time.perf_counter()
        result = self.keras(batch)
        self._seconds += time.perf_counter() - start
        return result

    def kept_for_frames(self, height, width):
        """The `StableLiteRT` that `keep_for_frames` cached for that size, or None."""
        if self._kept is None or gpu_in_sight():
            return None
        from animegan_tf.stylize.stable_litert import StableLiteRT

        path = self._file_for_frames(height, width)
        try:
            network = StableLiteRT(_read_kept(path))
            refuse_large_for_litert(network.arch, height, width, share=_MEMORY_SHARE)
            path.touch()
        except _NOT_READABLE:
            return None
        return network

    def keep_for_frames(self, network):
        """Cache a `StableLiteRT` of these weights for the next video of the same size."""
        if self._kept is not None and self._unchanged():
            with contextlib.suppress(OSError):
                _keep(self._file_for_frames(*network.size), network.file)

    def _file_for_frames(self, height, width):
        return self._kept.with_name(f"{self._kept.stem}-{width}x{height}{TFLITE_SUFFIX}")

    def _converted(self):
        """The network converted for LiteRT and cached, if it is equal and faster; or None."""
        from animegan_tf.networks import metadata, tflite
        from animegan_tf.networks.generator import properties

        try:
            own = {**properties(self.model), "weights": self.keras.identity()}
            file = metadata.add_own(tflite.convert(self.model), own)
            litert = _load(file)
            if not _equal_and_faster(litert, self.keras):
                return None
        except (InputError, RuntimeError, MemoryError, OSError):
            return None  # continue with Keras
        if self._kept is not None and self._unchanged():
            with contextlib.suppress(OSError):
                _keep(self._kept, file)
        return litert


def _load(file):
    """The engine of a converted network (bytes)."""
    from animegan_tf.networks import metadata

    return LiteRTEngine(file, arch=metadata.read_own(file)["arch"])


def _load_kept(path):
    """The engine of a cached file, or None if it is damaged."""
    try:
        engine = _load(_read_kept(path))
        path.touch()
    except _NOT_READABLE:
        return None
    return engine


def _read_kept(path):
    """The network (bytes) in a file of `_keep`; `OSError` or `ValueError` for other files.

    LiteRT must not read files that are damaged or belong to another user.
    """
    if not path.is_file():
        raise ValueError(f"{path} is no file")
    if hasattr(os, "getuid") and {path.stat().st_uid, path.parent.stat().st_uid} != {os.getuid()}:
        raise ValueError(f"{path} is another user's")
    kept = path.read_bytes()
    if hashlib.sha256(kept[_DIGEST:]).digest() != kept[:_DIGEST]:
        raise ValueError(f"{path} is damaged")
    return kept[_DIGEST:]


def _keep(path, network):
    """Cache a converted network (bytes)."""
    storage.write_bytes(path, hashlib.sha256(network).digest() + network)
    kept = sorted(path.parent.glob(f"*{TFLITE_SUFFIX}"), key=lambda file: file.stat().st_mtime)
    for old in kept[:-_KEPT]:
        old.unlink(missing_ok=True)


def _equal_and_faster(litert, keras):
    """Whether LiteRT has the same output as Keras in less time."""
    shape = (1, _TRIED_SIDE, _TRIED_SIDE, 3)
    image = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    if not litert.fits(*shape[1:3]):
        return False
    # Written so that NaN fails too.
    if not np.abs(litert(image) - keras(image)).max() < _TOLERANCE:
        return False
    seconds = median_seconds([lambda: litert(image), lambda: keras(image)], _ROUNDS)
    return seconds[0] < seconds[1]
