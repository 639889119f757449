"""The export's copy of a generator: the same numbers from operators that phones have."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import animegan_tf
from animegan_tf.errors import InputError
from animegan_tf.networks import tflite
from animegan_tf.networks.layers import LayerNorm2D, LegacyUpsampling2D, ReflectionPad2D
from animegan_tf.networks.portable import (
    PortableLayerNorm2D,
    PortableUpsampling2D,
    SlicedReflectionPad2D,
    portable_generator,
)
from animegan_tf.stylize.engines import LiteRTEngine


def noise(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("arch", ["v2", "lite", "v1"])
@pytest.mark.parametrize("fixed", [True, False])
def test_same_numbers(arch, fixed):
    model = animegan_tf.build_generator(arch)
    photo = noise(1, 24, 40, 3)
    copy = portable_generator(model, *((24, 40) if fixed else ()))
    # v1's eight blocks at a quarter of this size magnify what the order of sums leaves.
    # Drawn weights; another processor rounds another way.
    bound = 1e-4 if arch == "v1" else 5e-5
    np.testing.assert_allclose(copy(photo), model(photo, training=False), atol=bound)


def test_any_size_of_one_copy():
    model = animegan_tf.build_generator("lite")
    copy = portable_generator(model)
    for height, width in ((16, 16), (32, 24), (64, 40)):
        photo = noise(1, height, width, 3)
        np.testing.assert_allclose(copy(photo), model(photo, training=False), atol=5e-5)


@pytest.mark.parametrize("padding", [((1, 1), (1, 1)), ((0, 1), (0, 1)), ((3, 3), (2, 3))])
@pytest.mark.parametrize("size", [(6, 5), (None, None)])
def test_padding(padding, size):
    values = noise(2, 6, 5, 4)
    inputs = keras.Input((*size, 4))
    padded = keras.Model(inputs, SlicedReflectionPad2D(padding)(inputs))(values)
    np.testing.assert_array_equal(padded, ReflectionPad2D(padding)(values))


@pytest.mark.parametrize("size", [(6, 5), (None, None)])
def test_upsampling(size):
    values = noise(2, 6, 5, 4)
    inputs = keras.Input((*size, 4))
    doubled = keras.Model(inputs, PortableUpsampling2D()(inputs))(values)
    np.testing.assert_allclose(doubled, LegacyUpsampling2D()(values), atol=1e-6)


@pytest.mark.parametrize("per_channel", [True, False])
def test_norm(per_channel):
    values = 10 + 0.1 * noise(2, 6, 5, 4)
    layers = [kind(1e-5, per_channel) for kind in (PortableLayerNorm2D, LayerNorm2D)]
    made, expected = (layer(values) for layer in layers)
    np.testing.assert_allclose(made, expected, atol=1e-3)


@pytest.mark.slow
def test_large_pictures_under_litert():
    """Its sums over whole pictures were wrong by 1e-4 when they were taken in one."""
    model = animegan_tf.build_generator("lite")
    photo = np.tile(noise(1, 64, 64, 3), (1, 8, 8, 1))
    answer = LiteRTEngine(tflite.convert(model))(photo)
    np.testing.assert_allclose(answer, model(photo, training=False), atol=2e-5)


def test_no_operator_that_delegates_lack():
    copy = portable_generator(animegan_tf.build_generator("lite"))
    graph = tf.function(copy).get_concrete_function(tf.TensorSpec((1, None, None, 3))).graph
    kinds = {operation.type for operation in graph.get_operations()}
    assert not kinds & {"MirrorPad", "Shape", "ResizeBilinear"}, kinds


@pytest.mark.parametrize("size", [(24, 20), (8, 24), (0, 24), (24, None)])
def test_sizes_that_lite_does_not_take(size):
    with pytest.raises(InputError, match="multiple of 8"):
        portable_generator(animegan_tf.build_generator("lite"), *size)
