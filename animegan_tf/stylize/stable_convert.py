"""`animegan_tf.stylize.stable.StableNetwork` converted for LiteRT."""

import tensorflow as tf

from animegan_tf.networks import metadata
from animegan_tf.networks.generator import properties
from animegan_tf.networks.layers import LayerNorm2D
from animegan_tf.networks.portable import PortableLayerNorm2D, portable_generator
from animegan_tf.networks.tflite import convert_function, with_constants
from animegan_tf.stylize.engines.litert import refuse_large_for_litert
from animegan_tf.stylize.stable import BlendedStatistics
from animegan_tf.stylize.stable_litert import StableLiteRT


class _Norm(BlendedStatistics, PortableLayerNorm2D):
    pass


class _Averages:
    """State shared by the norms while the network is traced; all averages are in one vector."""

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


def stable_litert(model, height, width):
    """Convert a generator of `build_generator` to a `StableLiteRT` for frames of one size.

    height, width: multiples of the generator's `size_multiple`. Takes some seconds. Raises
    `InputError` for frames that do not fit into memory.
    """
    facts = properties(model)
    refuse_large_for_litert(facts["arch"], height, width)
    averages = _Averages()

    def make_norm(layer):
        norm = _Norm(layer.epsilon, layer.per_channel, name=layer.name)
        norm.averages = averages
        return norm

    for layer in model.layers:
        if isinstance(layer, LayerNorm2D):
            count = layer.gamma.shape[0] if layer.per_channel else 1
            for kind in ("mean", "variance"):
                averages.add(f"{layer.name}/{kind}", count)
    run = with_constants(portable_generator(model, height, width, make_norm=make_norm))

    def stylize(images, rate, memory):
        averages.begin(rate, memory)
        result = run(images)
        return {"images": result, "memory": averages.after()}

    specs = [
        tf.TensorSpec((1, height, width, 3), tf.float32, "images"),
        tf.TensorSpec((1,), tf.float32, "rate"),
        tf.TensorSpec((averages.count,), tf.float32, "memory"),
    ]
    facts |= {"size": [height, width], "averages": averages.places}
    return StableLiteRT(metadata.add_own(convert_function(stylize, specs), facts))
