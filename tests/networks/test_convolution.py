"""The convolution with gradients of its own against TensorFlow's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from animegan_tf import onednn
from animegan_tf.networks.convolution import Conv2D, convolve


def gradients(convolution, inputs, kernel, weights):
    """Value, first gradients, and the gradients of a penalty on the first one."""
    with tf.GradientTape() as outer:
        outer.watch([inputs, kernel])
        with tf.GradientTape() as tape:
            tape.watch([inputs, kernel])
            value = convolution(inputs, kernel)
            total = tf.reduce_sum(weights * tf.tanh(value))
        first = tape.gradient(total, [inputs, kernel])
        penalty = tf.reduce_sum(first[0] ** 2) + tf.reduce_sum(first[1] ** 2)
    return [value, *first, *outer.gradient(penalty, [inputs, kernel])]


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (5, 3), (7, 7)])
def test_gradients_are_tensorflows(size, padding):
    rng = np.random.default_rng(0)
    inputs = tf.constant(rng.normal(size=(2, 9, 12, 5)))
    kernel = tf.constant(rng.normal(size=(*size, 5, 4)))
    shape = tf.nn.conv2d(inputs, kernel, 1, padding).shape
    weights = tf.constant(rng.normal(size=shape))
    expected = gradients(lambda x, k: tf.nn.conv2d(x, k, 1, padding), inputs, kernel, weights)
    found = gradients(lambda x, k: convolve(x, k, padding), inputs, kernel, weights)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_sizes_found_at_run_time(jit_compile, monkeypatch):
    monkeypatch.setattr(onednn, "is_on", lambda: False)
    layer = Conv2D(4, 3, use_bias=False)
    layer.build((None, None, None, 2))

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 2))], jit_compile=jit_compile)
    def gradient(photo):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(photo) ** 2)
        return tape.gradient(total, layer.kernel.value)

    photo = tf.constant(np.random.default_rng(0).normal(size=(3, 8, 10, 2)).astype(np.float32))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.nn.conv2d(photo, layer.kernel.value, 1, "VALID") ** 2)
    expected = tape.gradient(total, layer.kernel.value)
    np.testing.assert_allclose(gradient(photo), expected, rtol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"strides": 2},
        {"dilation_rate": 2},
        {"groups": 2},
        {"dtype": "mixed_bfloat16"},
        {"kernel_size": 4},
    ],
)
def test_other_convolutions_are_keras_own(options, monkeypatch):
    """And every convolution where oneDNN runs."""
    monkeypatch.setattr(onednn, "is_on", lambda: not options)
    arguments = {"filters": 4, "kernel_size": 3, "padding": "same", **options}
    ours, plain = Conv2D(**arguments), keras.layers.Conv2D(**arguments)
    photo = np.random.default_rng(0).normal(size=(1, 8, 8, 2)).astype(np.float32)
    ours(photo), plain(photo)
    plain.set_weights(ours.get_weights())
    gradients = []
    for layer in (ours, plain):
        with tf.GradientTape() as tape:
            value = layer(photo)
            total = tf.reduce_sum(tf.cast(value, tf.float32) ** 2)
        gradients.append([value, tape.gradient(total, layer.kernel.value)])
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_array_equal(one, other)
    assert Conv2D.from_config(ours.get_config()).get_config() == ours.get_config()
