"""A convolution with gradients that are fast on a CPU without oneDNN.

For AnimeGANv2's 7x7 convolution at full size, TensorFlow's gradients take 3.3 (inputs) and 5.6
(kernel) times as long as the forward pass. Computed as a convolution (inputs) and as matrix
products (kernel), they take 1 and 1.9 times as long.
"""

import keras
import tensorflow as tf

from animegan_tf import onednn


@keras.saving.register_keras_serializable(package="animegan_tf")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with faster gradients on a CPU without oneDNN."""

    def convolution_op(self, inputs, kernel):
        plain = (
            (self.strides, self.dilation_rate, self.groups) == ((1, 1), (1, 1), 1)
            and self.data_format == "channels_last"
            and (self.padding == "valid" or all(size % 2 for size in self.kernel_size))
        )
        # cuDNN and oneDNN are as fast, in less memory; and sums over a whole image need float32.
        own = plain and inputs.dtype == tf.float32 and not onednn.is_on()
        if not own or tf.config.list_physical_devices("GPU"):
            return super().convolution_op(inputs, kernel)
        return convolve(inputs, tf.convert_to_tensor(kernel), self.padding.upper())


def convolve(inputs, kernel, padding="VALID"):
    """`tf.nn.conv2d` with stride 1: (N, H, W, C) and (kh, kw, C, D) to (N, H', W', D), all float32.

    padding: "VALID", or "SAME" for odd kernels. Gradients of any order are supported.
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
    """Rows and columns of padding on each side: half the kernel with "SAME", else 0."""
    return [(size - 1) // 2 if padding == "SAME" else 0 for size in shape[:2]]


def _input_gradient(kernel, upstream, padding):
    """The upstream gradient, padded, convolved with the rotated kernel."""
    turned = tf.transpose(tf.reverse(kernel, (0, 1)), (0, 1, 3, 2))
    margins = _margins(kernel.shape, padding)
    rows, columns = (size - 1 - n for size, n in zip(kernel.shape[:2], margins, strict=True))
    return tf.nn.conv2d(upstream, turned, 1, ((0, 0), (rows, rows), (columns, columns), (0, 0)))


def _kernel_gradient(inputs, shape, upstream, padding):
    """One matrix product of the inputs and the upstream gradient for each row of the kernel.

    Copies of the gradient, shifted by each column, are concatenated along the channels, so that one
    product computes a whole kernel row. Shifting the inputs instead would copy more data in layers
    that have fewer filters than input channels.
    """
    height, width, channels, filters = shape
    rows, columns = _margins(shape, padding)
    inputs = tf.pad(inputs, ((0, 0), (rows, rows), (columns, columns), (0, 0)))
    shifted = [tf.pad(upstream, ((0, 0), (0, 0), (x, width - 1 - x), (0, 0))) for x in range(width)]
    wide = tf.reshape(tf.concat(shifted, -1), (-1, width * filters))
    tall = tf.shape(upstream)[1]
    products = [
        tf.matmul(tf.reshape(inputs[:, y : y + tall], (-1, channels)), wide, transpose_a=True)
        for y in range(height)
    ]
    stacked = tf.reshape(tf.stack(products), (height, channels, width, filters))
    return tf.transpose(stacked, (0, 2, 1, 3))
