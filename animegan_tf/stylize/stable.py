"""A generator with temporally smoothed normalisation, for video frames: with Keras and LiteRT.

The networks normalise by the mean and variance of the whole image, so motion anywhere changes
brightness and colours everywhere. Here each norm layer uses a moving average of its statistics: for
frame t with the rate a_t in (0, 1], average_t = a_t statistics_t + (1 - a_t) average_(t-1). A rate
of 1 restarts the average, as at a cut. Only statistics are averaged, never pixels.
"""

import weakref

import keras
import numpy as np
import tensorflow as tf

from animegan_tf import memory
from animegan_tf.errors import InputError
from animegan_tf.networks import description, metadata
from animegan_tf.networks.generator import properties
from animegan_tf.networks.layers import LayerNorm2D
from animegan_tf.networks.portable import PortableLayerNorm2D, portable_generator
from animegan_tf.networks.tflite import convert_function, with_constants
from animegan_tf.stylize.engines import strips
from animegan_tf.stylize.engines.base import FrameNetwork, weights_digest
from animegan_tf.stylize.guided import LIMITS
from animegan_tf.stylize.threads import Stopwatch


class BlendedStatistics:
    """Mixin for norm layers whose statistics are smoothed by `averages`, set by the network."""

    averages = None

    def statistics(self, values):
        mean, variance = super().statistics(values)
        return (
            self.averages.blend(f"{self.name}/mean", mean),
            self.averages.blend(f"{self.name}/variance", variance),
        )


class _Norm(BlendedStatistics, LayerNorm2D):
    pass


class _PortableNorm(BlendedStatistics, PortableLayerNorm2D):
    pass


def _averages_of(model):
    """{name: number of channels} of the averages of a generator's norms."""
    return {
        f"{layer.name}/{kind}": layer.gamma.shape[0] if layer.per_channel else 1
        for layer in model.layers
        if isinstance(layer, LayerNorm2D)
        for kind in ("mean", "variance")
    }


class _Averages:
    """State shared by the norm layers while the network is traced: rates and averages."""

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
    """A generator with blended statistics as one graph, shared by successive videos.

    Attributes:
        run: the graph.
        empty: the averages before the first frame.
    """

    def __init__(self, model):
        self._averages, self._norms = _Averages(), []

        def clone(layer):
            # All layers but norms are shared.
            if not isinstance(layer, LayerNorm2D):
                return layer
            norm = _Norm.from_config(layer.get_config())
            norm.averages = self._averages
            self._norms.append((norm, layer))
            return norm

        self._model = keras.models.clone_model(model, clone_function=clone)
        self.empty = {
            name: np.zeros((1, count), np.float32) for name, count in _averages_of(model).items()
        }
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
        """Copy the current weights of the generator's norms."""
        for norm, layer in self._norms:
            norm.set_weights(layer.get_weights())


# By generator: a graph takes memory that TensorFlow never gives back.
_TRACED = weakref.WeakKeyDictionary()


class StableNetwork(FrameNetwork):
    """A `FrameNetwork` with smoothed statistics: a copy of a generator.

    Outputs do not depend on how frames are grouped into batches. With rates of 1 it equals the
    generator. `memory` has the averages after the last frame.
    """

    def __init__(self, model):
        """`model`: a generator of `build_generator`; it is not changed."""
        if model not in _TRACED:
            _TRACED[model] = _Traced(model)
        self._traced = _TRACED[model]
        self._traced.take_weights()
        self.memory = dict(self._traced.empty)
        self._generator, self._taken, self.watch = model, 0, Stopwatch()
        self._on_gpu = bool(tf.config.list_physical_devices("GPU"))

    def __call__(self, batch, rates):
        """Raises `MemoryError` for frames too large for the device, on a CPU before any work, and
        `InputError` for outputs that are not finite; `memory` is then unchanged.
        """
        self._refuse_too_large(*batch.shape[:3])
        mix, carry = mixing(rates)
        try:
            with self.watch:
                result, after = self._traced.run(batch, mix, carry, self.memory)
                result = result.numpy()
        except tf.errors.ResourceExhaustedError as error:
            count, height, width, _ = batch.shape
            raise MemoryError(
                f"{count} frame(s) of {width}x{height} are too large for this device's memory; "
                f"{LIMITS}"
            ) from error
        if not np.isfinite(result).all():
            raise InputError("checkpoint: the outputs of its network are not finite")
        self.memory = {name: value.numpy() for name, value in after.items()}
        return result

    def _refuse_too_large(self, count, height, width):
        needed = strips.whole_memory(self._generator, count * height, width)
        if self._on_gpu or needed <= self._taken:
            return
        free = memory.available()
        # Memory of earlier frames is reused.
        if free is not None and needed > free + self._taken:
            raise MemoryError(
                f"{count} frame(s) of {width}x{height} need {needed / memory.GIGABYTE:.1f} GB, but "
                f"{(free + self._taken) / memory.GIGABYTE:.1f} GB are available; {LIMITS}, and "
                "stabilize=False processes large frames in strips"
            )
        self._taken = needed


def mixing(rates):
    """Moving averages of N frames as a matrix: averages = mix @ statistics + carry * before.

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


# --- conversion ---


class _VectorAverages:
    """`_Averages` for conversions: of one frame at a time, and all averages are in one vector."""

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


def converted(model, runtime="litert", mode="none"):
    """A generator of `build_generator` as the file (bytes) of a `ConvertedEngine`.

    runtime: "litert" or "openvino". mode: "float16" to store LiteRT's weights in that form. Takes
    some seconds.
    """
    averages = _VectorAverages()
    for name, count in _averages_of(model).items():
        averages.add(name, count)
    own = properties(model) | {"weights": weights_digest(model), "averages": averages.places}
    if runtime == "openvino":
        from animegan_tf.stylize.engines import openvino

        return openvino.build(*description.describe(model), own)

    def make_norm(layer):
        norm = _PortableNorm(layer.epsilon, layer.per_channel, name=layer.name)
        norm.averages = averages
        return norm

    run = with_constants(portable_generator(model, make_norm=make_norm))

    def stylize(images, rate, memory):
        averages.begin(rate, memory)
        return {"images": run(images), "memory": averages.after()}

    specs = [
        tf.TensorSpec((1, None, None, 3), tf.float32, "images"),
        tf.TensorSpec((1,), tf.float32, "rate"),
        tf.TensorSpec((averages.count,), tf.float32, "memory"),
    ]
    return metadata.add_own(convert_function(stylize, specs, mode), own)
