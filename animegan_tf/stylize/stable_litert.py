"""`stable.StableNetwork` with LiteRT, for frames of one size. No TensorFlow."""

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from animegan_tf.errors import InputError
from animegan_tf.memory import cores
from animegan_tf.networks import metadata


class StableLiteRT:
    """A converted `StableNetwork` on the CPU, with the same `memory`.

    Attributes:
        file: the TFLite file (bytes).
        arch: the generator's architecture.
        size: (height, width) of the frames.
    """

    one_by_one = True

    def __init__(self, file):
        """`file`: the bytes of a file from `animegan_tf.stylize.stable.stable_litert`.

        Raises KeyError, ValueError or RuntimeError for other files.
        """
        own = metadata.read_own(file)
        self.file, self.arch, self.size = file, own["arch"], tuple(own["size"])
        # (start, count) of each average in the vector of all averages.
        self._places = own["averages"]
        self._count = sum(count for _, count in self._places.values())
        interpreter = Interpreter(model_content=file, num_threads=cores())
        interpreter.allocate_tensors()  # here, where a command line hides its messages
        self._run = interpreter.get_signature_runner()
        self.memory = {
            name: np.zeros((1, count), np.float32) for name, (_, count) in self._places.items()
        }

    def __call__(self, batch, rates):
        """Raises `InputError` for outputs that are not finite; `memory` is then unchanged.

        `memory` may be None if the first rate is 1.
        """
        memory = np.zeros(self._count, np.float32)
        if self.memory is not None:
            memory = np.concatenate([self.memory[name][0] for name in self._places])
        results = []
        for frame, rate in zip(batch, rates, strict=True):
            outputs = self._run(images=frame[None], rate=np.float32([rate]), memory=memory)
            results.append(outputs["images"])
            memory = outputs["memory"]
        result = np.concatenate(results)
        if not np.isfinite(result).all():
            raise InputError("checkpoint: the outputs of its network are not finite")
        self.memory = {
            name: memory[None, start : start + count].copy()
            for name, (start, count) in self._places.items()
        }
        return result
