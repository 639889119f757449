"""The engine of TFLite files: LiteRT on the CPU."""

import threading

import numpy as np

from animegan_tf import memory
from animegan_tf.errors import InputError
from animegan_tf.stylize.engines.base import Engine, digest

TFLITE_SUFFIX = ".tflite"
# For TFLite files of other projects, which do not record it.
_UNKNOWN_MULTIPLE = 32
_FIRST_SIDE = 64


class LiteRTEngine(Engine):
    """A TFLite file with LiteRT on the CPU. Needs no TensorFlow.

    Any network from float32 RGB (1, H, W, 3) to the same. `path` may also be the bytes of the file.
    Thread-safe.
    """

    def __init__(self, path, threads=None):
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
        self.multiple = own.get("multiple", _UNKNOWN_MULTIPLE)
        self.match_brightness = own.get("match_brightness", True)
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
        return digest([self._model])

    def __call__(self, batch):
        with self._lock:
            return np.concatenate([self._one(photo[None]) for photo in batch])

    def _one(self, photo):
        if self._shape != photo.shape:
            self._prepare(photo.shape)
        self._interpreter.set_tensor(self._input["index"], photo)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output["index"])

    def _prepare(self, shape):
        # A new interpreter per size: a resized one keeps the delegate's old buffers.
        self._shape = None
        self._interpreter = self._new()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        self._interpreter.resize_tensor_input(self._input["index"], shape, strict=True)
        try:
            self._interpreter.allocate_tensors()
        except RuntimeError as error:
            raise MemoryError(str(error)) from error
        self._shape = shape
