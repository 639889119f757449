"""The libraries that run a converted network (see `converted`) on the CPU. No TensorFlow.

A runtime is a callable of an image (1, H, W, 3) of any size, a rate (1,) and a vector of averages;
it returns the output and the averages after it. `own` are the network's recorded properties, `held`
is the number of pixels of the last image, whose memory is reused.
"""

import importlib.util
from pathlib import Path

from animegan_tf.memory import cores

# The least memory for the first call, which prints the libraries' messages.
_FIRST_SIDE = 64
_REDUCED = ("avx512_bf16", "amx_bf16", "bf16")


class LiteRT:
    """A TFLite file (bytes) with LiteRT. Raises ValueError or RuntimeError for other files."""

    def __init__(self, file, precision="float32"):
        from ai_edge_litert.interpreter import Interpreter

        from animegan_tf.networks import metadata

        del precision
        self.own = metadata.read_own(file)
        self._new = lambda: Interpreter(model_content=file, num_threads=cores())
        interpreter = self._new()
        index = interpreter.get_signature_runner().get_input_details()["images"]["index"]
        interpreter.resize_tensor_input(index, (1, _FIRST_SIDE, _FIRST_SIDE, 3))
        interpreter.allocate_tensors()
        self.release()

    def release(self):
        """Free the memory of the last image."""
        self._run, self._shape, self.held = None, None, 0

    def __call__(self, images, rate, memory):
        shape = images.shape
        if shape != self._shape:
            self.release()
            # A new interpreter for each size: a resized one keeps the delegate's old buffers.
            self._run = self._new().get_signature_runner()
        try:
            outputs = self._run(images=images, rate=rate, memory=memory)
        except RuntimeError as error:
            self.release()
            raise MemoryError(str(error)) from error
        self._shape, self.held = shape, shape[1] * shape[2]
        return outputs["images"], outputs["memory"]


def _openvino(file, precision):
    from animegan_tf.stylize.engines.openvino import OpenVINO

    return OpenVINO(file, precision)


RUNTIMES = {"litert": LiteRT, "openvino": _openvino}


def installed(engine):
    """Whether the library of an engine is installed."""
    module = {"keras": "tensorflow", "litert": "ai_edge_litert"}.get(engine, engine)
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def has_bfloat16(cpuinfo="/proc/cpuinfo"):
    """Whether the processor has instructions for bfloat16, as far as the system shows it."""
    try:
        words = set(Path(cpuinfo).read_text("utf-8", "replace").split())
    except OSError:
        return False
    return not words.isdisjoint(_REDUCED)
