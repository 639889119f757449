"""A convolution with gradients that are fast on a CPU.

For the 7x7 convolution of AnimeGANv2 at full size the gradients of TensorFlow take 3.3 (inputs) and
5.6 times (kernel) as long as the convolution; the same sums as a convolution and as matrix products
take 1 and 1.9 times as long.
"""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="animegan_tf")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D`, the same in all but the time that its gradients take on a CPU."""

    def convolution_op(self, inputs, kernel):
        plain = (
            (self.strides, self.dilation_rate, self.groups) == ((1, 1), (1, 1), 1)
            and self.data_format == "channels_last"
            and (self.padding == "valid" or all(size % 2 for size in self.kernel_size))
        )
        # On a GPU cuDNN has better ways; and sums over a picture want float32.
        if not plain or inputs.dtype != tf.float32 or tf.config.list_physical_devices("GPU"):
            return super().convolution_op(inputs, kernel)
        return convolve(inputs, tf.convert_to_tensor(kernel), self.padding.upper())


def convolve(inputs, kernel, padding="VALID"):
    """`tf.nn.conv2d` by 1: (N, H, W, C) and (kh, kw, C, D) to (N, H', W', D), all float32.

    padding: "VALID", or "SAME" for odd kernels. Differentiable any number of times.
    """

    @tf.custom_gradient
    def run(inputs, kernel):
        def gradients(upstream):
            return (
                _input_gradient(kernel, upstream, padding),
                _kernel_gradient(inputs, kernel.shape, upstream, padding),
            )

        return tf.nn.conv2d(inputs, kernel, 1, padding), gradients

    return run(inputs, kernel)


def _margins(shape, padding):
    """How far the kernel reaches beyond the picture with "SAME": rows and columns, each side."""
    return [(size - 1) // 2 if padding == "SAME" else 0 for size in shape[:2]]


def _input_gradient(kernel, upstream, padding):
    """The upstream gradient convolved with the turned kernel, reaching over every border."""
    turned = tf.transpose(tf.reverse(kernel, (0, 1)), (0, 1, 3, 2))
    outside = _margins(kernel.shape, padding)
    rows, columns = (size - 1 - n for size, n in zip(kernel.shape[:2], outside, strict=True))
    return tf.nn.conv2d(upstream, turned, 1, ((0, 0), (rows, rows), (columns, columns), (0, 0)))


def _kernel_gradient(inputs, shape, upstream, padding):
    """For each row of the kernel one matrix product of the inputs and the upstream gradient.

    The gradient's copies shifted by each column stand side by side, so that one product does a
    whole row; shifting the inputs instead would copy more, where layers narrow.
    """
    height, width, channels, filters = shape
    rows, columns = _margins(shape, padding)
    inputs = tf.pad(inputs, ((0, 0), (rows, rows), (columns, columns), (0, 0)))
    shifted = [
        tf.pad(upstream, ((0, 0), (0, 0), (at, width - 1 - at), (0, 0))) for at in range(width)
    ]
    wide = tf.reshape(tf.concat(shifted, -1), (-1, width * filters))
    tall = tf.shape(upstream)[1]
    products = [
        tf.matmul(tf.reshape(inputs[:, at : at + tall], (-1, channels)), wide, transpose_a=True)
        for at in range(height)
    ]
    stacked = tf.reshape(tf.stack(products), (height, channels, width, filters))
    return tf.transpose(stacked, (0, 2, 1, 3))
