"""The patch discriminator, shared by AnimeGANv2 (layer norm) and AnimeGAN v1 (instance norm).

A Keras functional model: float32 RGB in [-1, 1] (N, H, W, 3) to logits (N, H/4, W/4, 1) at depth 3.
Zero padding, no biases, kernels initialised from normal(0, 0.02), spectral norm on every
convolution. Layer names are the TensorFlow 1 scopes below "discriminator/"; `networks.tf1` relies
on that.

Source: Chen, AnimeGANv2, 2020; Chen, Liu and Chen, AnimeGAN, ISICA 2019.
"""

import keras
from keras import layers

from animegan_tf.errors import InputError
from animegan_tf.networks.generator import INSTANCE_NORM_EPSILON, LAYER_NORM_EPSILON, LRELU_SLOPE
from animegan_tf.networks.layers import LayerNorm2D, SpectralConv2D
from animegan_tf.validation import check_choice, check_whole


def _norm_names(norm, depth):
    """The published scopes of the norm layers, in order; layer norms are named "ins" there too."""
    if norm == "layer":
        return [f"1_norm_{i}" for i in range(1, depth)] + ["2_ins_norm"]
    return [f"ins_norm_{i}" for i in range(1, depth)] + ["last_ins_norm"]


def build_discriminator(
    norm: str = "layer", channels: int = 64, depth: int = 3, spectral_norm: bool = True
) -> keras.Model:
    """Return the discriminator with newly initialised weights.

    `norm` is "layer" (AnimeGANv2) or "instance" (v1). `channels` is the number of filters of the
    first stride-2 convolution, an even number. `depth` is the number of stages (1 or more), of
    which depth - 1 halve the size. Float32 RGB (N, H, W, 3) in [-1, 1] to logits
    (N, H/2^(depth-1), W/2^(depth-1), 1). 1,128,800 parameters by default. Raises `InputError` for
    other values.
    """
    check_choice("norm", norm, ("layer", "instance"))
    if channels < 2 or channels % 2:
        raise InputError(f"channels: expected an even number of at least 2, received {channels}")
    check_whole("depth", depth, 1)

    def conv(x, filters, name, stride=1):
        # As published, stride 2 pads top and left only; Keras' "same" would pad bottom and right.
        pad = ((1, 0), (1, 0)) if stride == 2 else ((1, 1), (1, 1))
        if spectral_norm:
            return SpectralConv2D(filters, 3, stride, pad, name=name)(x)
        x = layers.ZeroPadding2D(pad, name=f"{name}.pad")(x)
        return layers.Conv2D(
            filters,
            3,
            strides=stride,
            use_bias=False,
            kernel_initializer=keras.initializers.RandomNormal(0.0, 0.02),
            name=name,
        )(x)

    def lrelu(x, name):
        return layers.LeakyReLU(LRELU_SLOPE, name=f"{name}.lrelu")(x)

    def normalize(x, name):
        per_channel = norm == "instance"
        epsilon = INSTANCE_NORM_EPSILON if per_channel else LAYER_NORM_EPSILON
        return lrelu(LayerNorm2D(epsilon, per_channel, name=name)(x), name)

    norms = iter(_norm_names(norm, depth))
    image = keras.Input((None, None, 3), name="image")
    x = lrelu(conv(image, channels // 2, "conv_0"), "conv_0")
    for stage in range(1, depth):
        x = lrelu(conv(x, channels, f"conv_s2_{stage}", stride=2), f"conv_s2_{stage}")
        channels *= 2
        x = normalize(conv(x, channels, f"conv_s1_{stage}"), next(norms))
    x = normalize(conv(x, channels, "last_conv"), next(norms))
    x = conv(x, 1, "D_logit")
    logits = layers.Activation("linear", dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name=f"discriminator_{norm}")
