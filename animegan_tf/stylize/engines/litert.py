"""The LiteRT engines on the CPU: TFLite files and converted generators."""

import contextlib
import threading

import numpy as np

from animegan_tf import memory
from animegan_tf.errors import InputError
from animegan_tf.stylize.engines.base import Engine, digest, weights_digest
from animegan_tf.stylize.guided import LIMITS

TFLITE_SUFFIX = ".tflite"
# For TFLite files of other projects, which do not record it.
_UNKNOWN_MULTIPLE = 32
_FIRST_SIDE = 64
# LiteRT's memory per pixel, measured at 512x512 and 768x768: up to 2.5 times that of Keras, since
# reflection padding copies tensors.
_LITERT_BYTES_PER_PIXEL = {"v2": 2500, "lite": 1500, "v1": 1900}


def refuse_large_for_litert(arch, height, width, held_pixels=0, share=1.0):
    """Raise `InputError` for an image that does not fit into memory with LiteRT.

    held_pixels: pixels of the previous image, whose memory is reused. share: the fraction of free
    memory that may be used.
    """
    free, per_pixel = memory.available(), _LITERT_BYTES_PER_PIXEL[arch]
    if free is None:
        return
    needed, there = per_pixel * height * width, share * (free + per_pixel * held_pixels)
    if needed > there:
        raise InputError(
            f"engine: litert needs {needed / memory.GIGABYTE:.1f} GB for {width}x{height}, but "
            f"{there / memory.GIGABYTE:.1f} GB are available; keras needs less, and {LIMITS}"
        )


class LiteRTEngine(Engine):
    """A TFLite file with LiteRT on the CPU. Needs no TensorFlow.

    Any network from float32 RGB (1, H, W, 3) to the same. `path` may also be the bytes of the file.
    `multiple` is read from the file by default. `arch` enables the check of the available memory.
    Thread-safe.
    """

    def __init__(self, path, threads=None, multiple=None, arch=None):
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._model = path if isinstance(path, bytes) else memory.read_bytes(path)
            self._new = lambda: Interpreter(
                model_content=self._model, num_threads=threads or memory.cores()
            )
            self._interpreter = self._new()
        except OSError as error:
            raise InputError(f"checkpoint: {path}: {error.strerror or error}") from error
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"checkpoint: {path} is not a readable TFLite file: {reason}"
            ) from error
        height, width = self._image_size(path)
        self.size = None if -1 in (height, width) else (height, width)
        own = self._properties(path)
        self.multiple = multiple or own.get("multiple", _UNKNOWN_MULTIPLE)
        self.match_brightness = own.get("match_brightness", True)
        self._weights, self._arch = own.get("weights"), arch
        self._lock = threading.Lock()
        # So that the delegate prints its messages now, not while photos are processed.
        self._prepare((1, *(self.size or (_FIRST_SIDE, _FIRST_SIDE)), 3))

    def _image_size(self, path):
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        tensors = (*inputs, *outputs)
        if len(inputs) == len(outputs) == 1 and {t["dtype"] for t in tensors} == {np.float32}:
            shape = tuple(int(n) for n in inputs[0]["shape_signature"])
            if len(shape) == 4 and shape[3] == 3:
                return shape[1:3]
        found = [f"{t['dtype'].__name__} {t['shape_signature'].tolist()}" for t in tensors]
        raise InputError(
            f"checkpoint: expected a network from float32 (1, H, W, 3) to the same, {path} has "
            f"{', '.join(found)}"
        )

    def _properties(self, path):
        from animegan_tf.networks import metadata

        try:
            own = dict(metadata.read_own(self._model))
            multiple = own.get("multiple", _UNKNOWN_MULTIPLE)
            if not isinstance(multiple, int) or not 0 < multiple <= 1024:
                raise ValueError(f"multiple {multiple!r}")
        except Exception as error:  # its readers raise many kinds for damaged tables
            raise InputError(
                f"checkpoint: {path} is no readable TFLite file: its metadata are damaged"
            ) from error
        return own

    def identity(self):
        return self._weights or digest([self._model])

    def refuse_too_large(self, height, width, share=1.0):
        if self._arch is not None:
            # LiteRT keeps the memory for the last image size.
            held = self._shape[1] * self._shape[2] if self._used else 0
            refuse_large_for_litert(self._arch, height, width, held, share)

    def fits(self, height, width, share=1.0):
        """Whether an image of that size fits into this share of free memory, if known."""
        try:
            self.refuse_too_large(height, width, share)
        except InputError:
            return False
        return True

    def release(self):
        """Free the memory of the last image."""
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
        self._interpreter.set_tensor(self._input["index"], photo)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output["index"])

    def _prepare(self, shape):
        # A new interpreter per size: a resized one keeps the delegate's old buffers.
        self._shape, self._used = None, False
        self._interpreter = self._new()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        self._interpreter.resize_tensor_input(self._input["index"], shape, strict=True)
        try:
            self._interpreter.allocate_tensors()
        except RuntimeError as error:
            raise MemoryError(str(error)) from error
        self._shape = shape


class ConvertedEngine(Engine):
    """A Keras generator with LiteRT; it is converted, which takes some seconds, on the first call.

    `quietly` is a function that returns a context manager for the conversion; a command line can
    hide the converter's messages. Thread-safe.
    """

    has_model = on_litert = True

    def __init__(self, model, quietly=contextlib.nullcontext):
        from animegan_tf.networks.generator import properties

        facts = properties(model)
        self.model, self._arch = model, facts["arch"]
        self.multiple, self.match_brightness = facts["multiple"], facts["match_brightness"]
        self._quietly, self._litert, self._lock = quietly, None, threading.Lock()

    def identity(self):
        return weights_digest(self.model)

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
            file = tflite.convert(self.model)
            return LiteRTEngine(file, multiple=self.multiple, arch=self._arch)
