"""Layers that Keras lacks or defines differently.

Tensors are NHWC. Every layer is registered for saving under the package name `animegan_tf`.
"""

import keras
import tensorflow as tf

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        "animegan_tf needs Keras on TensorFlow: expected KERAS_BACKEND=tensorflow, "
        f"received {keras.backend.backend()!r}"
    )

L2_EPSILON = 1e-12

_register = keras.saving.register_keras_serializable(package="animegan_tf")


@_register
class ReflectionPad2D(keras.layers.Layer):
    """Pad height and width by reflection without repeating the border pixel.

    `padding` is ((top, bottom), (left, right)); (N, H, W, C) becomes
    (N, top + H + bottom, left + W + right, C). Padding must be smaller than that side of the input.
    """

    def __init__(self, padding, **kwargs):
        super().__init__(**kwargs)
        self.padding = tuple(tuple(int(n) for n in pair) for pair in padding)

    def call(self, inputs):
        return tf.pad(inputs, ((0, 0), *self.padding, (0, 0)), mode="REFLECT")

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        (top, bottom), (left, right) = self.padding
        grow = [(height, top + bottom), (width, left + right)]
        return (batch, *(None if size is None else size + n for size, n in grow), channels)

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}


@_register
class LayerNorm2D(keras.layers.Layer):
    """Normalise each sample over H, W and C (`per_channel=False`) or over H and W (instance norm).

    Scale `gamma` and shift `beta` have one value per channel. The statistics are float32 for every
    compute type.
    """

    def __init__(self, epsilon, per_channel=False, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = float(epsilon)
        self.per_channel = bool(per_channel)

    def build(self, input_shape):
        channels = (input_shape[-1],)
        # Not cast to a reduced compute type: gamma and beta are used with float32 statistics.
        self.gamma = self.add_weight(
            name="gamma", shape=channels, initializer="ones", autocast=False
        )
        self.beta = self.add_weight(
            name="beta", shape=channels, initializer="zeros", autocast=False
        )

    def call(self, inputs, training=False):
        inputs = tf.convert_to_tensor(inputs)
        if training:
            return self._trained(inputs)
        mean, variance = self.statistics(tf.cast(inputs, tf.float32))
        return self.normalize(inputs, mean, variance)

    def _trained(self, inputs):
        """`call` whose gradient takes half as many passes over the tensors as TensorFlow's."""

        @tf.custom_gradient
        def run(inputs, gamma, beta):
            mean, variance = self.statistics(tf.cast(inputs, tf.float32))

            def gradients(upstream):
                return self._gradients(inputs, mean, variance, gamma, upstream)

            return self._scaled(inputs, mean, variance, gamma, beta), gradients

        return run(inputs, *map(tf.convert_to_tensor, (self.gamma, self.beta)))

    def _gradients(self, inputs, mean, variance, gamma, upstream):
        """Those of inputs, gamma and beta. Only sums over H and W need passes of their own."""
        upstream = tf.cast(upstream, tf.float32)
        centered, inverse = (
            tf.cast(inputs, tf.float32) - mean,
            tf.math.rsqrt(variance + self.epsilon),
        )

        def summed(values):  # one axis after the other is faster
            return tf.reduce_sum(tf.reduce_sum(values, 1, keepdims=True), 2, keepdims=True)

        def averaged(sums):
            weighted, shape = sums * gamma, tf.shape(inputs)
            if not self.per_channel:
                weighted = tf.reduce_mean(weighted, 3, keepdims=True)
            return weighted / tf.cast(shape[1] * shape[2], tf.float32)

        sums, products = summed(upstream), summed(upstream * centered) * inverse
        slope = averaged(products) * tf.square(inverse)
        result = upstream * (inverse * gamma) - (centered * slope + averaged(sums) * inverse)
        own = tf.reduce_sum(products, (0, 1, 2)), tf.reduce_sum(sums, (0, 1, 2))
        return tf.cast(result, inputs.dtype), *own

    def normalize(self, inputs, mean, variance):
        """`call` with these statistics in place of the input's own."""
        return self._scaled(inputs, mean, variance, self.gamma, self.beta)

    def _scaled(self, inputs, mean, variance, gamma, beta):
        scale = tf.math.rsqrt(variance + self.epsilon) * tf.cast(gamma, tf.float32)
        # values * scale + (beta - mean * scale) saves a pass, but its rounding errors are larger
        # and visibly change the published loss curves.
        normalized = (tf.cast(inputs, tf.float32) - mean) * scale + tf.cast(beta, tf.float32)
        return tf.cast(normalized, inputs.dtype)

    def statistics(self, values):
        """Mean and variance of float32 (N, H, W, C): (N, 1, 1, 1), per channel (N, 1, 1, C)."""
        axes = (1, 2) if self.per_channel else (1, 2, 3)
        return tf.nn.moments(values, axes, keepdims=True)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "epsilon": self.epsilon,
            "per_channel": self.per_channel,
        }


@_register
class LegacyUpsampling2D(keras.layers.Layer):
    """Bilinear doubling on TensorFlow 1's grid: no half-pixel centres, corners not aligned.

    out[2k] = x[k] and out[2k + 1] = (x[k] + x[k + 1]) / 2 with the last sample repeated.
    `keras.layers.UpSampling2D` samples at half-pixel centres, which shifts the image by half a
    pixel.
    """

    def call(self, inputs):
        height, width = tf.unstack(tf.shape(inputs)[1:3])
        doubled = tf.raw_ops.ResizeBilinear(
            images=inputs,
            size=(2 * height, 2 * width),
            align_corners=False,
            half_pixel_centers=False,
        )
        # Not `ensure_shape`, an operator that TensorFlow.js and Core ML lack.
        doubled.set_shape(self.compute_output_shape(inputs.shape))
        return tf.cast(doubled, inputs.dtype)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, *(None if n is None else 2 * n for n in (height, width)), channels)


@_register
class LegacyHalving2D(keras.layers.Layer):
    """Bilinear halving on TensorFlow 1's grid: exactly every second sample, from the first."""

    def call(self, inputs):
        return inputs[:, ::2, ::2]

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, *(None if n is None else (n + 1) // 2 for n in (height, width)), channels)


def l2_normalize(vector):
    """vector / (sqrt(sum of squares) + 1e-12): the published form, the epsilon outside the root."""
    return vector / (tf.sqrt(tf.reduce_sum(tf.square(vector))) + L2_EPSILON)


@_register
class SpectralConv2D(keras.layers.Layer):
    """Convolution without bias whose kernel is divided by its spectral norm.

    Miyato et al., Spectral Normalization for GANs, 2018, as the published AnimeGAN computes it:
    each call does one power iteration from the stored `u` (1, filters): v = l2(u Wᵀ),
    u' = l2(v W), sigma = v W u'ᵀ with W the kernel as (k·k·C_in, filters). The convolution uses
    W / sigma; the stored kernel is not overwritten, and the gradient flows through sigma, u' and v.
    `keras.layers.SpectralNormalization` differs: it assigns the divided kernel back.

    `training=True` stores u'; otherwise the layer computes the same sigma and stores nothing, so a
    second call in one step (the gradient penalty's) uses the same kernel. `padding` is
    ((top, bottom), (left, right)), filled with zeros.
    """

    def __init__(self, filters, kernel_size, strides=1, padding=((0, 0), (0, 0)), **kwargs):
        super().__init__(**kwargs)
        self.filters = int(filters)
        self.kernel_size = int(kernel_size)
        self.strides = int(strides)
        self.padding = tuple(tuple(int(n) for n in pair) for pair in padding)

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, self.kernel_size, input_shape[-1], self.filters),
            initializer=keras.initializers.RandomNormal(0.0, 0.02),
            autocast=False,
        )
        # Replicas start equal and have the same kernel, so `u` is the same on all of them.
        self.u = self.add_weight(
            name="u",
            shape=(1, self.filters),
            initializer=keras.initializers.TruncatedNormal(0.0, 1.0),
            trainable=False,
            aggregation="only_first_replica",
            autocast=False,
        )

    def call(self, inputs, training=False):
        kernel = tf.convert_to_tensor(self.kernel)
        matrix = tf.reshape(kernel, (-1, self.filters))
        v = l2_normalize(tf.matmul(self.u, matrix, transpose_b=True))
        u = l2_normalize(tf.matmul(v, matrix))
        sigma = tf.matmul(tf.matmul(v, matrix), u, transpose_b=True)
        if training:
            self.u.assign(u)
        normalized = tf.cast(tf.reshape(matrix / sigma, tf.shape(kernel)), inputs.dtype)
        half = (self.kernel_size - 1) // 2
        if self.strides == 1 and self.kernel_size % 2 and self.padding == ((half, half),) * 2:
            return tf.nn.conv2d(inputs, normalized, 1, "SAME")
        # With explicit paddings TensorFlow uses Eigen's convolution instead of oneDNN's: slower
        # training steps in float32, several times slower in bfloat16.
        padded = tf.pad(inputs, ((0, 0), *self.padding, (0, 0)))
        return tf.nn.conv2d(padded, normalized, strides=self.strides, padding="VALID")

    def compute_output_shape(self, input_shape):
        sizes = [
            None if n is None else (n + sum(pads) - self.kernel_size) // self.strides + 1
            for n, pads in zip(input_shape[1:3], self.padding, strict=True)
        ]
        return (input_shape[0], *sizes, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
        }
