"""The engine of a weights file: Keras, LiteRT or OpenVINO, by measurement on the work itself.

A converted network, shipped with the style or cached, starts without TensorFlow. Otherwise Keras
starts, and the network is converted once that is worth it. With a GPU, only Keras is used.
"""

import contextlib
import importlib.metadata
from pathlib import Path

import numpy as np

from animegan_tf import onednn
from animegan_tf.errors import InputError
from animegan_tf.stylize.engines.choice import Choice
from animegan_tf.stylize.engines.converted import NOT_READABLE, ConvertedEngine
from animegan_tf.stylize.engines.keras import KerasEngine
from animegan_tf.stylize.engines.runtimes import RUNTIMES, has_bfloat16, installed
from animegan_tf.stylize.engines.store import Store
from animegan_tf.stylize.threads import Stopwatch

# Seconds until an engine is ready, and those of a conversion.
_STARTS = {"litert": 0.2, "openvino": 1.5, "keras": 6.0}
_CONVERSIONS = {"litert": 15.0, "openvino": 2.0, "keras": 0.0}
# The lowest PSNR in dB of an engine's outputs from those of another: of float32, which differ by
# rounding, and of bfloat16, which cannot be seen.
_LEAST_FIDELITY = {"": 60.0, "bfloat16": 45.0}
# Maximum share of the free memory for runtimes that were not requested.
_MEMORY_SHARE = 0.5
_GPU_FILES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
_GPU_PACKAGE = "tensorflow-metal"
# The expected number of frames of a stream without an end.
_ENDLESS = 10_000
_NAMES = {"litert": "LiteRT", "openvino": "OpenVINO", "keras": "Keras"}


def gpu_in_sight():
    """Whether there may be a GPU, detected without loading TensorFlow."""
    if any(Path(name).exists() for name in _GPU_FILES):
        return True
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return bool(importlib.metadata.version(_GPU_PACKAGE))
    return False


def is_ready(file, engine="auto"):
    """Whether `AutoEngine(file)` starts without TensorFlow."""
    if engine == "auto" and gpu_in_sight():
        return False
    store = Store(file)
    runtimes = RUNTIMES if engine == "auto" else (engine,)
    return any(installed(name) and store.load(name) is not None for name in runtimes)


class AutoEngine:
    """The engines of the weights file `file`, which take turns until the fastest is known.

    engine: one of `options.ENGINES`. precision: one of `options.PRECISIONS`; with "auto", bfloat16
    is used where it is faster and its outputs are at least 45 dB from float32.
    `quietly` is a function that returns a context manager, used while libraries are loaded after
    the constructor; a command line can hide their messages. Raises `InputError` for a file without
    a generator, and for a missing library.
    """

    size = None
    stabilizes = True

    def __init__(self, file, quietly=contextlib.nullcontext, engine="auto", precision="float32"):
        self._file, self._quietly, self._precision = Path(file), quietly, precision
        self._store, self._pixels, self.choice, self.used = Store(file), 0, None, None
        self._engines, self._networks, self._failed = {}, {}, set()
        self._requested, self._kinds = engine, [engine]
        if engine == "auto":
            self._kinds = ["keras"] if gpu_in_sight() else [*RUNTIMES, "keras"]
        self._kinds = [kind for kind in self._kinds if installed(kind)]
        # Whether an image that does not fit into memory is an error.
        self._fixed = engine != "auto" or "keras" not in self._kinds
        for runtime in set(self._kinds) & set(RUNTIMES):
            self._networks[runtime] = self._store.load(runtime)
        first = next(iter(self._starts((0, 0))), None)
        if first is None:
            raise InputError(f"engine: expected an installed one, received {engine}")
        self._first = self._engine(first)
        self.multiple, self.match_brightness = self._first.multiple, self._first.match_brightness
        self.choice = Choice(self._first.arch, self._first.identity())

    # --- engines by name: "litert", "openvino bfloat16" ---

    def _engine(self, name):
        """The engine of that name, started on first use."""
        if name not in self._engines:
            kind, _, precision = name.partition(" ")
            with self._quietly():
                self._engines[name] = self._start(kind, precision or "float32")
        return self._engines[name]

    def _start(self, kind, precision):
        if kind == "keras":
            if not self._store.unchanged():
                raise InputError(f"checkpoint: {self._file} has changed since it was first read")
            if not installed("keras"):
                raise InputError(f"checkpoint: {self._file} needs TensorFlow, which is missing")
            from animegan_tf.networks.weights import load_generator

            other = next((e for n, e in self._engines.items() if n.startswith("keras")), None)
            model = load_generator(self._file) if other is None else other.model
            started = KerasEngine(model, precision=precision)
            if started.on_gpu and self._requested == "auto":
                self._kinds = ["keras"]
            return started
        network = self._networks.get(kind)
        if network is None:
            from animegan_tf.stylize.stable import converted

            network = self._networks[kind] = converted(self.model, kind)
            self._store.keep(kind, network)
        return ConvertedEngine(network, kind, precision)

    @property
    def converts(self):
        """Whether a converted network may be used, which processes one image at a time."""
        return self._kinds != ["keras"]

    @property
    def keras(self):
        """The `KerasEngine` in float32, loaded on first use."""
        return self._engine("keras")

    @property
    def model(self):
        """The Keras model, loaded on first use."""
        return self.keras.model

    def identity(self):
        return self._first.identity()

    def note(self):
        """The engine of the last image and its precision, such as "LiteRT, float32"."""
        if self.used is None:
            return None
        kind, _, precision = self.used.partition(" ")
        return f"{_NAMES[kind]}, {precision or 'float32'}"

    def _starts(self, size):
        """{engine: seconds until it is ready} for those that can run an image, sorted by them."""
        found = {}
        loaded = any(name.startswith("keras") for name in self._engines)
        for name in [name for kind in self._kinds for name in self._precisions(kind)]:
            kind = name.split()[0]
            started = name in self._engines or (kind == "keras" and loaded)
            seconds = 0.0 if started else _STARTS[kind]
            if kind != "keras" and self._networks[kind] is None:
                seconds += _CONVERSIONS[kind] + (0.0 if loaded else _STARTS["keras"])
            if name not in self._failed and self._faithful(name, size) and self._fits(name, size):
                found[name] = seconds
        return dict(sorted(found.items(), key=lambda item: item[1]))

    def _precisions(self, kind):
        reduced = f"{kind} bfloat16"
        if self._precision == "bfloat16":
            return [] if kind == "litert" else [reduced]
        both = self._precision == "auto" and kind != "litert" and has_bfloat16()
        # Without oneDNN, TensorFlow is several times slower in bfloat16.
        return [kind, reduced] if both and (kind != "keras" or onednn.is_on()) else [kind]

    def _faithful(self, name, size):
        """Whether the outputs of an engine are as close to the others' as it was measured."""
        known = None if self.choice is None else self.choice.fidelity(size, name)
        return known is None or known >= _LEAST_FIDELITY[name.partition(" ")[2]]

    def _fits(self, name, size):
        engine = self._engines.get(name)
        if self._fixed or not isinstance(engine, ConvertedEngine):
            return True
        if engine.fits(*size, _MEMORY_SHARE):
            return True
        engine.release()  # others need that memory
        return False

    # --- photos ---

    def refuse_too_large(self, height, width):
        name = next(iter(self._starts((height, width))), "keras")
        self._engine(name).refuse_too_large(height, width)

    def _pick(self, size, pixels):
        """The started engine for the next image, without those that fail to start or do not fit."""
        while True:
            starts = self._starts(size) or {"keras": 0.0}
            name = self.choice.pick(size, pixels, starts)
            try:
                self._engine(name)
                if self._fits(name, size):  # known only now
                    return name
            except (*NOT_READABLE, MemoryError, ImportError):
                if len(starts) == 1:
                    raise
                self._failed.add(name)

    def __call__(self, batch):
        size = batch.shape[1:3]
        # As much as before is expected to follow.
        self._pixels += batch[..., 0].size
        name = self._pick(size, self._pixels)
        try:
            return self._measured(name, batch, lambda name: self._engine(name)(batch), Stopwatch())
        except MemoryError:
            if self._fixed or name.startswith("keras"):
                raise
            self._engine(name).release()
            return self.keras(batch)

    def _measured(self, name, batch, run, watch):
        """The output of `run(name)`, and its time in `watch` and `choice`.

        The first time for a class of sizes, it is compared with that of the engine that starts
        first, which is returned, unless that one does not fit into memory.
        """
        size, reference = batch.shape[1:3], next(iter(self._engines))
        known = self.choice.fidelity(size, name) is not None
        alone = name == reference or self._requested != "auto" or not self._fits(reference, size)
        if known or alone:
            with watch:
                result = run(name)
            self.choice.took(size, name, watch.last, len(batch))
            self.used = name
            return result
        inexact = run(name)
        with watch:
            exact = run(reference)
        error = float(np.mean(np.square(inexact - exact)))
        # Outputs are in [-1, 1]; NaN is not below 4.
        decibels = 10 * np.log10(4 / max(error, 1e-12)) if error < 4 else 0.0
        self.choice.set_fidelity(size, name, float(decibels))
        self.used = reference
        return exact

    def frames(self, stabilize=True, count=None, engine="auto"):
        """The `FrameNetwork` for a video of `count` frames, None for endless."""
        own = self
        if engine not in ("auto", self._requested):
            own = AutoEngine(self._file, self._quietly, engine, self._precision)
        return AutoFrames(own, stabilize, count)


class AutoFrames:
    """A `FrameNetwork` of the engines of an `AutoEngine`, which take turns like those of photos."""

    def __init__(self, own, stabilize, count):
        self._own, self._stabilize, self._networks = own, stabilize, {}
        self._left = _ENDLESS if count is None else count
        self.one_by_one = own.converts
        self.memory, self.watch = None, Stopwatch()

    @property
    def note(self):
        return self._own.note()

    def _run(self, name, batch, rates):
        if name not in self._networks:
            self._networks[name] = self._own._engine(name).frames(self._stabilize)
        if self.memory is not None:
            self._networks[name].memory = self.memory
        return self._networks[name](batch, rates)

    def __call__(self, batch, rates):
        size = batch.shape[1:3]
        name = self._own._pick(size, max(1, self._left) * size[0] * size[1])
        result = self._own._measured(
            name, batch, lambda name: self._run(name, batch, rates), self.watch
        )
        self.memory = self._networks[self._own.used].memory
        self._left -= len(batch)
        return result
