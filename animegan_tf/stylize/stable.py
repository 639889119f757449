"""A generator whose normalisation does not jump from frame to frame of a film.

The networks normalise by the mean and variance of the whole picture, so what moves anywhere changes
brightness and colours everywhere. Here each norm layer uses a running average of its statistics:
for frame t with the rate a_t in (0, 1], average_t = a_t statistics_t + (1 - a_t) average_(t-1). A
rate of 1 forgets what was before, as at a cut. Nothing else is blended: no pixel of an earlier
frame is in a later one.
"""

import weakref

import keras
import numpy as np
import tensorflow as tf

from animegan_tf.errors import InputError
from animegan_tf.networks.layers import LayerNorm2D
from animegan_tf.stylize.guided import LIMITS


class BlendedStatistics:
    """Before a norm layer's class: its statistics go through `averages`, which its network sets."""

    averages = None

    def statistics(self, values):
        mean, variance = super().statistics(values)
        return (
            self.averages.blend(f"{self.name}/mean", mean),
            self.averages.blend(f"{self.name}/variance", variance),
        )


class _Norm(BlendedStatistics, LayerNorm2D):
    pass


class _Averages:
    """What the norm layers share while the network is traced: rates in, averages in and out."""

    def begin(self, mix, carry, memory):
        self._mix, self._carry, self._memory = mix, carry, memory
        self.after = {}

    def blend(self, name, value):
        """The averages (N, 1, 1, C) for the statistics `value` of N successive frames."""
        rows = tf.reshape(value, (tf.shape(value)[0], -1))
        blended = self._mix @ rows + self._carry[:, None] * self._memory[name]
        self.after[name] = blended[-1:]
        return tf.reshape(blended, tf.shape(value))


class _Traced:
    """A generator with blended statistics as one graph, which films in turn share.

    Attributes:
        run: the graph. empty: the averages before a first frame.
    """

    def __init__(self, model):
        self._averages, self.empty, self._norms = _Averages(), {}, []

        def clone(layer):
            # Layers are shared, but for norms.
            if not isinstance(layer, LayerNorm2D):
                return layer
            norm = _Norm.from_config(layer.get_config())
            norm.averages = self._averages
            self._norms.append((norm, layer))
            return norm

        self._model = keras.models.clone_model(model, clone_function=clone)
        for _, layer in self._norms:
            count = layer.gamma.shape[0] if layer.per_channel else 1
            for kind in ("mean", "variance"):
                self.empty[f"{layer.name}/{kind}"] = np.zeros((1, count), np.float32)
        specs = {name: tf.TensorSpec(value.shape, tf.float32) for name, value in self.empty.items()}
        self.run = tf.function(
            self._trace,
            input_signature=[
                tf.TensorSpec([None, None, None, 3], tf.float32),
                tf.TensorSpec([None, None], tf.float32),
                tf.TensorSpec([None], tf.float32),
                specs,
            ],
            autograph=False,
        )

    def _trace(self, batch, mix, carry, memory):
        self._averages.begin(mix, carry, memory)
        return self._model(batch, training=False), self._averages.after

    def take_weights(self):
        """Give the norms what those of the generator have now."""
        for norm, layer in self._norms:
            norm.set_weights(layer.get_weights())


# By generator: a graph takes memory that TensorFlow never gives back.
_TRACED = weakref.WeakKeyDictionary()


class StableNetwork:
    """A copy of a generator for the frames of a film in order, some at a time.

    `network(batch, rates)`: float32 (N, H, W, 3) in [-1, 1] and N rates to the same shape and
    range. How the frames are cut into batches makes no difference. With rates of 1 it is the
    generator.

    Attributes:
        memory: the averages after the last frame, {name: float32 (1, C)}. It may be set, to go on
            where another network was.
    """

    def __init__(self, model):
        """`model`: a generator of `build_generator`, which is left as it is."""
        if model not in _TRACED:
            _TRACED[model] = _Traced(model)
        self._traced = _TRACED[model]
        self._traced.take_weights()
        self.memory = dict(self._traced.empty)

    def __call__(self, batch, rates):
        """Raises `MemoryError` for frames too large for the device, and `InputError` for answers
        that are not finite; `memory` is then as it was.
        """
        mix, carry = mixing(rates)
        try:
            result, memory = self._traced.run(batch, mix, carry, self.memory)
        except tf.errors.ResourceExhaustedError as error:
            count, height, width, _ = batch.shape
            raise MemoryError(
                f"{count} frame(s) of {width}x{height} are too large for this device's memory; "
                f"{LIMITS}"
            ) from error
        result = result.numpy()
        if not np.isfinite(result).all():
            raise InputError("checkpoint: its network answers with values that are not finite")
        self.memory = {name: value.numpy() for name, value in memory.items()}
        return result


def mixing(rates):
    """Running averages of N frames as a matrix: averages = mix @ statistics + carry * before.

    `rates`: N numbers in (0, 1]. Returns float32 (N, N) and (N,).
    """
    count = len(rates)
    mix, carry = np.zeros((count, count)), np.zeros(count)
    row, left = np.zeros(count), 1.0
    for frame, rate in enumerate(rates):
        row *= 1 - rate
        row[frame] = rate
        left *= 1 - rate
        mix[frame], carry[frame] = row, left
    return mix.astype(np.float32), carry.astype(np.float32)
