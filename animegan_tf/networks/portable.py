"""The generators in operators that every TFLite runtime and delegate supports.

XNNPACK and GPU delegates support neither reflection padding nor a resize whose size is computed at
run time. Here both are slices, concatenations and, at a known size, a static resize, with the same
results.
"""

import keras
import tensorflow as tf

from animegan_tf.errors import InputError
from animegan_tf.networks.generator import size_multiple
from animegan_tf.networks.layers import (
    LayerNorm2D,
    LegacyHalving2D,
    LegacyUpsampling2D,
    ReflectionPad2D,
)

_register = keras.saving.register_keras_serializable(package="animegan_tf")

# XNNPACK concatenates at most five tensors.
_MAX_CONCATENATED = 5


def portable_generator(model, height=None, width=None, batch_size=1, make_norm=None):
    """A copy of `model` for export: same weights and results, portable operators.

    model: a generator of `build_generator`. height, width: a fixed size, multiples of
    `size_multiple(model)`; without them the copy accepts any such size. Input and output are
    float32 RGB in [-1, 1], (batch_size, height, width, 3). Raises `InputError` for other sizes.
    make_norm: a function that returns the replacement of a `LayerNorm2D` layer.
    """
    check_size(model, height, width)
    photo = keras.Input((height, width, 3), batch_size=batch_size, name="photo")

    def clone(layer):
        if make_norm is not None and isinstance(layer, LayerNorm2D):
            return make_norm(layer)
        return _portable(layer)

    copy = keras.models.clone_model(model, input_tensors=photo, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def check_size(model, height, width):
    """Raise `InputError` unless `model` accepts that size, or both sides are None."""
    if height is None and width is None:
        return
    multiple = size_multiple(model)
    for name, side in (("height", height), ("width", width)):
        if not isinstance(side, int) or side < 2 * multiple or side % multiple:
            raise InputError(
                f"size: expected a {name} of at least {2 * multiple} that is a multiple of "
                f"{multiple} for {model.name}, received {side}"
            )


def _portable(layer):
    if isinstance(layer, ReflectionPad2D):
        return SlicedReflectionPad2D(layer.padding, name=layer.name)
    if isinstance(layer, LegacyUpsampling2D):
        return PortableUpsampling2D(name=layer.name)
    if isinstance(layer, LayerNorm2D):
        return PortableLayerNorm2D(layer.epsilon, layer.per_channel, name=layer.name)
    if isinstance(layer, LegacyHalving2D):
        return PortableHalving2D(name=layer.name)
    return layer.__class__.from_config(layer.get_config())


def _rows(x, axis, start, count=1):
    """`count` rows (axis 1) or columns (axis 2) of `x` from `start`, which may be negative."""
    size = x.shape[axis]
    if size is not None:
        begin, sizes = [0] * 4, list(x.shape)
        begin[axis], sizes[axis] = start % size, count
        if sizes[0] is not None and None not in sizes:
            return tf.slice(x, begin, sizes)
    stop = start + count
    cut = slice(start, None if stop == 0 else stop)
    return x[:, cut] if axis == 1 else x[:, :, cut]


def _concatenate(parts, axis):
    while len(parts) > _MAX_CONCATENATED:
        parts = [
            parts[i] if len(parts[i : i + 3]) == 1 else tf.concat(parts[i : i + 3], axis)
            for i in range(0, len(parts), 3)
        ]
    return tf.concat(parts, axis) if len(parts) > 1 else parts[0]


@_register
class SlicedReflectionPad2D(ReflectionPad2D):
    """`ReflectionPad2D` by slices and concatenations."""

    def call(self, inputs):
        x = inputs
        for axis, (before, after) in zip((1, 2), self.padding, strict=True):
            first = [_rows(x, axis, i) for i in range(before, 0, -1)]
            last = [_rows(x, axis, -1 - i) for i in range(1, after + 1)]
            x = _concatenate([*first, x, *last], axis)
        return x


@_register
class PortableUpsampling2D(LegacyUpsampling2D):
    """`LegacyUpsampling2D` without a size that is computed at run time.

    At a known size a static resize. Otherwise the four phases of the output (even and odd rows and
    columns) are computed as channels, which `depth_to_space` interleaves.
    """

    def call(self, inputs):
        height, width = inputs.shape[1:3]
        if height is not None and width is not None:
            return tf.raw_ops.ResizeBilinear(
                images=inputs,
                size=(2 * height, 2 * width),
                align_corners=False,
                half_pixel_centers=False,
            )
        below = _halfway(inputs, 1)
        phases = [inputs, _halfway(inputs, 2), below, _halfway(below, 2)]
        return tf.nn.depth_to_space(tf.concat(phases, -1), 2)


@_register
class PortableLayerNorm2D(LayerNorm2D):
    """`LayerNorm2D` with means computed one axis after the other.

    Runtimes sum a whole image in one float32, which changes outputs at 768x768 by 8e-5; means by
    axis change them by 2e-6.
    """

    def statistics(self, values):
        mean = self._mean(values)
        return mean, self._mean(tf.square(values - mean))

    def _mean(self, values):
        for axis in (1, 2) if self.per_channel else (1, 2, 3):
            values = tf.reduce_mean(values, axis, keepdims=True)
        return values


@_register
class PortableHalving2D(LegacyHalving2D):
    """`LegacyHalving2D` as a 1x1 depthwise convolution: delegates do not support strided slices."""

    def call(self, inputs):
        ones = tf.ones((1, 1, inputs.shape[-1], 1), inputs.dtype)
        return tf.nn.depthwise_conv2d(inputs, ones, (1, 2, 2, 1), "VALID")


def _halfway(x, axis):
    """The mean of each row (axis 1) or column (axis 2) and the next; the last one repeats."""
    inner = x[:, 1:] if axis == 1 else x[:, :, 1:]
    return 0.5 * (x + tf.concat([inner, _rows(x, axis, -1)], axis))
