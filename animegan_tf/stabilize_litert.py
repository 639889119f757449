"""`StableNetwork` under LiteRT: the processor's faster engine for the frames of a film."""

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from animegan_tf.errors import InputError
from animegan_tf.export.convert import SIGNATURE, convert_function, with_constants
from animegan_tf.layers import LayerNorm2D
from animegan_tf.memory import cores
from animegan_tf.networks.portable import PortableLayerNorm2D, portable_generator
from animegan_tf.stabilize import BlendedStatistics


class _Norm(BlendedStatistics, PortableLayerNorm2D):
    pass


class _Averages:
    """What the norms share while the network is traced: where each average is in one vector."""

    def __init__(self):
        self.places, self.count = {}, 0

    def add(self, name, count):
        self.places[name] = (self.count, count)
        self.count += count

    def begin(self, rate, memory):
        self._rate, self._memory, self._after = rate, memory, {}

    def blend(self, name, value):
        start, count = self.places[name]
        before = tf.reshape(tf.slice(self._memory, [start], [count]), (1, 1, 1, count))
        blended = before + self._rate * (value - before)
        self._after[name] = tf.reshape(blended, (count,))
        return blended

    def after(self):
        return tf.concat([self._after[name] for name in self.places], 0)


class StableLiteRT:
    """`animegan_tf.stabilize.StableNetwork` for frames of one size, on the processor.

    Same call and same `memory`. Made in some seconds, since the network is converted first.
    """

    def __init__(self, model, height, width, threads=None):
        """`model`: a generator of `build_generator`; the size: a multiple of what it takes."""
        self._averages = _Averages()

        def make_norm(layer):
            norm = _Norm(layer.epsilon, layer.per_channel, name=layer.name)
            norm.averages = self._averages
            return norm

        for layer in model.layers:
            if isinstance(layer, LayerNorm2D):
                count = layer.gamma.shape[0] if layer.per_channel else 1
                for kind in ("mean", "variance"):
                    self._averages.add(f"{layer.name}/{kind}", count)
        run = with_constants(portable_generator(model, height, width, make_norm=make_norm))

        def stylize(images, rate, memory):
            self._averages.begin(rate, memory)
            result = run(images)
            return {"images": result, "memory": self._averages.after()}

        specs = [
            tf.TensorSpec((1, height, width, 3), tf.float32, "images"),
            tf.TensorSpec((1,), tf.float32, "rate"),
            tf.TensorSpec((self._averages.count,), tf.float32, "memory"),
        ]
        interpreter = Interpreter(
            model_content=convert_function(stylize, specs), num_threads=threads or cores()
        )
        self._run = interpreter.get_signature_runner(SIGNATURE)
        self.size = (height, width)
        self.memory = {
            name: np.zeros((1, count), np.float32)
            for name, (_, count) in self._averages.places.items()
        }

    def __call__(self, batch, rates):
        """Raises `InputError` for answers that are not finite; `memory` is then as it was.

        Rates of 1 look at no memory, which may then be None.
        """
        memory = np.zeros(self._averages.count, np.float32)
        if self.memory is not None:
            memory = np.concatenate([self.memory[name][0] for name in self._averages.places])
        results = []
        for frame, rate in zip(batch, rates, strict=True):
            answer = self._run(images=frame[None], rate=np.float32([rate]), memory=memory)
            results.append(answer["images"])
            memory = answer["memory"]
        result = np.concatenate(results)
        if not np.isfinite(result).all():
            raise InputError("checkpoint: its network answers with values that are not finite")
        self.memory = {
            name: memory[None, start : start + count].copy()
            for name, (start, count) in self._averages.places.items()
        }
        return result
