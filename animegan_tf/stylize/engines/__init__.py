"""What runs a network: Keras, a TFLite file under LiteRT, a SavedModel, or what is faster.

An engine is called with float32 RGB in [-1, 1], (N, H, W, 3), and answers with the same. Its
`multiple` is what H and W must be multiples of; its `size` is the one (height, width) that it
takes, or None for any; its `match_brightness` whether the style wants its results to have their
photo's brightness; its `identity()` a text that tells networks apart; `has_model` whether it has
the Keras model as `model`; `on_litert` whether that is done by LiteRT.
"""

import contextlib
import hashlib
import json
import os
import threading
from pathlib import Path

import numpy as np

from animegan_tf import memory
from animegan_tf.errors import InputError
from animegan_tf.stylize.engines import strips
from animegan_tf.stylize.guided import LIMITS
from animegan_tf.stylize.options import ENGINES

TFLITE_SUFFIX = ".tflite"
_SAVED_MODEL_FILE = "saved_model.pb"
# What an export records of its style, in the folder that TensorFlow leaves to others.
SAVED_MODEL_PROPERTIES = Path("assets.extra", "animegan_tf.json")
# For TFLite files of other projects, which do not say.
_UNKNOWN_MULTIPLE = 32
_FIRST_SIDE = 64
# What LiteRT takes for a pixel, measured at 512x512 and 768x768: up to two and a half times what
# Keras does, as reflection makes copies.
_LITERT_BYTES_PER_PIXEL = {"v2": 2500, "lite": 1500, "v1": 1900}


def load_engine(checkpoint, engine="auto", strip_memory=None, quietly=contextlib.nullcontext):
    """The engine for `checkpoint`: a model of `build_generator`, or a path.

    engine: "litert" has a Keras network converted for LiteRT, "keras" leaves it to Keras; "auto" is
        an `AutoEngine` for weights files and run directories, else Keras.
    strip_memory: see `KerasEngine`; not for exports, nor with "litert"; with "auto" it is Keras.
    quietly: see `AutoEngine` and `ConvertedEngine`.

    A path is a .tflite file, a SavedModel folder (or the folder of its numbered versions), or what
    `animegan_tf.networks.weights.load_generator` takes. Raises `InputError` for anything else.
    """
    if engine not in ENGINES:
        raise InputError(f"engine: expected one of {', '.join(ENGINES)}, received {engine!r}")
    if not isinstance(checkpoint, (str, os.PathLike)):
        return _of_model(checkpoint, engine, strip_memory, quietly)
    path = Path(checkpoint)
    if path.suffix == TFLITE_SUFFIX:
        return LiteRTEngine(path)
    if saved_model_folder(path) is not None:
        return SavedModelEngine(saved_model_folder(path))
    from animegan_tf.networks.weights import load_generator, own_file

    file = own_file(path)
    if engine == "auto" and strip_memory is None and file is not None:
        from animegan_tf.stylize.engines.auto import AutoEngine

        return AutoEngine(file, quietly)
    return _of_model(load_generator(path), engine, strip_memory, quietly)


def _of_model(model, engine, strip_memory, quietly):
    if engine == "litert":
        return ConvertedEngine(model, quietly)
    return KerasEngine(model, strip_memory)


def refuse_large_for_litert(arch, height, width, held_pixels=0, share=1.0):
    """Raise `InputError` for a picture that would not fit into memory with LiteRT and a network.

    held_pixels: of the picture whose memory will be given back for this one. share: how much of the
    free memory may be taken.
    """
    free, per_pixel = memory.available(), _LITERT_BYTES_PER_PIXEL[arch]
    if free is None:
        return
    needed, there = per_pixel * height * width, share * (free + per_pixel * held_pixels)
    if needed > there:
        raise InputError(
            f"engine: litert takes {needed / memory.GIGABYTE:.1f} GB for {width}x{height}, and "
            f"{there / memory.GIGABYTE:.1f} GB are there for it; keras takes less, and {LIMITS}"
        )


def is_export(checkpoint):
    """Whether `checkpoint` is the path of a TFLite file or a SavedModel."""
    if not isinstance(checkpoint, (str, os.PathLike)):
        return False
    return Path(checkpoint).suffix == TFLITE_SUFFIX or saved_model_folder(checkpoint) is not None


def needs_tensorflow(checkpoint, engine="auto", strip_memory=None):
    """Whether `load_engine` would load TensorFlow for these."""
    if not isinstance(checkpoint, (str, os.PathLike)):
        return True
    if Path(checkpoint).suffix == TFLITE_SUFFIX:
        return False
    if engine != "auto" or strip_memory is not None or is_export(checkpoint):
        return True
    from animegan_tf.networks.weights import own_file
    from animegan_tf.stylize.engines.auto import is_ready

    file = own_file(checkpoint)
    return file is None or not is_ready(file)


def saved_model_folder(path):
    """The SavedModel at `path`: the folder itself, or its highest numbered one; None if neither."""
    path = Path(path)
    if (path / _SAVED_MODEL_FILE).is_file():
        return path
    if not path.is_dir():
        return None
    versions = [
        p for p in path.iterdir() if p.name.isdecimal() and (p / _SAVED_MODEL_FILE).is_file()
    ]
    return max(versions, key=lambda p: int(p.name), default=None)


def _saved_properties(folder):
    """What a SavedModel records of its style; {} where it does not."""
    path = folder / SAVED_MODEL_PROPERTIES
    try:
        properties = json.loads(path.read_text("utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise InputError(f"checkpoint: {path} is no readable JSON: {error}") from error
    return properties if isinstance(properties, dict) else {}


def _digest(parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _weights_digest(model):
    return _digest(np.ascontiguousarray(values) for values in model.get_weights())


class _Engine:
    """What engines have in common."""

    size = None
    has_model = on_litert = False

    def refuse_too_large(self, height, width):
        """Raise `InputError` for a picture that is known to be too large for the memory."""


class KerasEngine(_Engine):
    """A Keras generator, compiled once for all sizes. Runs on whatever device TensorFlow finds.

    A picture that would not fit into memory whole is computed in strips, see `strips`; on a
    processor only, as nothing says what a GPU has left.

    strip_memory: gigabytes for the network's work. With it every picture is computed in strips.

    A picture that fits neither way is an `InputError`.
    """

    has_model = True

    def __init__(self, model, strip_memory=None):
        import tensorflow as tf

        from animegan_tf.networks.generator import matches_brightness, size_multiple

        self.model = model
        self.multiple = size_multiple(model)
        self.match_brightness = matches_brightness(model)
        self._strip_memory = strip_memory
        self.on_gpu = bool(tf.config.list_physical_devices("GPU"))
        self._out_of_memory = tf.errors.ResourceExhaustedError
        # Sizes are left open: photos of many sizes would otherwise be traced one by one.
        self._run = tf.function(
            lambda batch: model(batch, training=False),
            input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)],
            autograph=False,
        )

    def identity(self):
        return _weights_digest(self.model)

    def refuse_too_large(self, height, width):
        self._strips(height, width)

    def _strips(self, height, width, count=1):
        """What computes such a picture, of `count` together, in strips; None for it whole."""
        if self._strip_memory is not None:
            allowed = int(self._strip_memory * memory.GIGABYTE)
            return strips.fitted(self.model, height, width, allowed)
        if self.on_gpu or not strips.supports(self.model):
            return None
        free = memory.available()
        if free is None or count * strips.whole_memory(self.model, height, width) <= free:
            return None
        return strips.fitted(self.model, height, width, free)

    def __call__(self, batch):
        engine = self._strips(*batch.shape[1:3], count=len(batch))
        if engine is not None:
            return engine(batch)
        try:
            return self._run(batch).numpy()
        except self._out_of_memory as error:
            raise MemoryError(str(error)) from error


class SavedModelEngine(_Engine):
    """A SavedModel of `animegan_tf.export` through its signature `raw`, which takes any size."""

    multiple = 1

    def __init__(self, folder):
        import tensorflow as tf

        try:
            # Kept whole: its signatures do not keep its variables alive.
            self._loaded = tf.saved_model.load(str(folder))
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"checkpoint: {folder} is no readable SavedModel: {error}") from error
        if "raw" not in self._loaded.signatures:
            found = ", ".join(self._loaded.signatures) or "none"
            raise InputError(
                f"checkpoint: expected a SavedModel of animegan_tf.export with a signature raw, "
                f"{folder} has {found}"
            )
        self._folder = Path(folder)
        self.match_brightness = _saved_properties(self._folder).get("match_brightness", True)
        self._errors = tf.errors
        self._run = self._loaded.signatures["raw"]

    def identity(self):
        files = sorted(path for path in self._folder.rglob("*") if path.is_file())
        return _digest(path.read_bytes() for path in files)

    def __call__(self, batch):
        try:
            return self._run(images=batch)["images"].numpy()
        except self._errors.ResourceExhaustedError as error:
            raise MemoryError(str(error)) from error
        except self._errors.InvalidArgumentError as error:
            raise InputError(f"the SavedModel refuses the photo: {error.message}") from error


class LiteRTEngine(_Engine):
    """A TFLite file under LiteRT, on the processor. Needs no TensorFlow.

    Of any project, if it takes and gives float32 RGB (1, H, W, 3). `path` may be its bytes;
    `multiple` is otherwise what the file says; with `arch` pictures are refused that would not fit
    into memory. May be called by several threads.
    """

    def __init__(self, path, threads=None, multiple=None, arch=None):
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._model = path if isinstance(path, bytes) else Path(path).read_bytes()
            self._new = lambda: Interpreter(
                model_content=self._model, num_threads=threads or memory.cores()
            )
            self._interpreter = self._new()
        except OSError as error:
            raise InputError(f"checkpoint: {path}: {error.strerror or error}") from error
        except (ValueError, RuntimeError) as error:
            raise InputError(f"checkpoint: {path} is no readable TFLite file: {error}") from error
        height, width = self._picture_shape(path)
        self.size = None if -1 in (height, width) else (height, width)
        own = self._properties()
        self.multiple = multiple or own.get("multiple", _UNKNOWN_MULTIPLE)
        self.match_brightness = own.get("match_brightness", True)
        self._weights, self._arch = own.get("weights"), arch
        self._lock = threading.Lock()
        # So that its delegate speaks up now, not in the middle of the user's photos.
        self._prepare((1, *(self.size or (_FIRST_SIDE, _FIRST_SIDE)), 3))

    def _picture_shape(self, path):
        given = self._interpreter.get_input_details()
        made = self._interpreter.get_output_details()
        if len(given) == len(made) == 1 and given[0]["dtype"] == made[0]["dtype"] == np.float32:
            shape = tuple(int(n) for n in given[0]["shape_signature"])
            if len(shape) == 4 and shape[3] == 3:
                return shape[1:3]
        found = [f"{d['dtype'].__name__} {d['shape_signature'].tolist()}" for d in (*given, *made)]
        raise InputError(
            f"checkpoint: expected a network from float32 (1, H, W, 3) to the same, {path} has "
            f"{', '.join(found)}"
        )

    def _properties(self):
        from animegan_tf.networks import metadata

        return metadata.read_own(self._model)

    def identity(self):
        return self._weights or _digest([self._model])

    def refuse_too_large(self, height, width, share=1.0):
        if self._arch is not None:
            # LiteRT keeps the memory of the last picture's size.
            held = self._shape[1] * self._shape[2] if self._used else 0
            refuse_large_for_litert(self._arch, height, width, held, share)

    def fits(self, height, width, share=1.0):
        """Whether such a picture fits into that share of the free memory, as far as is known."""
        try:
            self.refuse_too_large(height, width, share)
        except InputError:
            return False
        return True

    def release(self):
        """Give back the memory of the last picture."""
        with self._lock:
            if self._used:
                self._prepare((1, _FIRST_SIDE, _FIRST_SIDE, 3))

    def __call__(self, batch):
        with self._lock:
            return np.concatenate([self._one(photo[None]) for photo in batch])

    def _one(self, photo):
        if self._shape != photo.shape:
            self._prepare(photo.shape)
        self._used = True
        self._interpreter.set_tensor(self._given["index"], photo)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._made["index"])

    def _prepare(self, shape):
        # A new one for each size: one that is resized keeps what its delegate had prepared.
        self._shape, self._used = None, False
        self._interpreter = self._new()
        self._given = self._interpreter.get_input_details()[0]
        self._made = self._interpreter.get_output_details()[0]
        self._interpreter.resize_tensor_input(self._given["index"], shape, strict=True)
        try:
            self._interpreter.allocate_tensors()
        except RuntimeError as error:
            raise MemoryError(str(error)) from error
        self._shape = shape


class ConvertedEngine(_Engine):
    """A Keras generator under LiteRT: converted, in some seconds, for the first picture.

    `quietly` is a function that gives a context for that; a command line may hide there what the
    converter prints. May be called by several threads.
    """

    has_model = on_litert = True

    def __init__(self, model, quietly=contextlib.nullcontext):
        from animegan_tf.networks.generator import properties

        facts = properties(model)
        self.model, self._arch = model, facts["arch"]
        self.multiple, self.match_brightness = facts["multiple"], facts["match_brightness"]
        self._quietly, self._litert, self._lock = quietly, None, threading.Lock()

    def identity(self):
        return _weights_digest(self.model)

    def refuse_too_large(self, height, width):
        if self._litert is None:
            refuse_large_for_litert(self._arch, height, width)
        else:
            self._litert.refuse_too_large(height, width)

    def __call__(self, batch):
        with self._lock:
            if self._litert is None:
                self._litert = self._converted()
        return self._litert(batch)

    def _converted(self):
        from animegan_tf.networks import tflite

        with self._quietly():
            made = tflite.convert(self.model)
            return LiteRTEngine(made, multiple=self.multiple, arch=self._arch)
