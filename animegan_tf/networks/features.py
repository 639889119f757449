"""Perceptual features: VGG19 up to conv4_4 or VGG16 up to conv4_3, before the ReLU, frozen.

Input float32 RGB in [-1, 1] (N, H, W, 3); output (N, H/8, W/8, 512), float32. Inside, the Caffe
model's preprocessing: (x + 1) * 127.5, RGB to BGR, minus the ImageNet means. Weights come from
Keras or from a file (`networks.feature_files`).

Source: Simonyan and Zisserman, 2014; the layer is the one of Chen, AnimeGANv2, 2020.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from animegan_tf.errors import InputError
from animegan_tf.networks import feature_files
from animegan_tf.networks.convolution import Conv2D
from animegan_tf.networks.feature_files import FILTERS, conv_names

BGR_MEANS = (103.939, 116.779, 123.68)


@keras.saving.register_keras_serializable(package="animegan_tf")
class CaffePreprocessing(keras.layers.Layer):
    """float32 RGB in [-1, 1] to the Caffe models' input: BGR, 0..255, ImageNet means subtracted."""

    def call(self, inputs):
        bgr = tf.reverse((tf.cast(inputs, tf.float32) + 1.0) * 127.5, axis=[-1])
        return tf.cast(bgr - tf.constant(BGR_MEANS), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


def build_feature_extractor(weights, depth="vgg19"):
    """Return the frozen feature extractor as a `keras.Model` named `features_<depth>`.

    `weights` is "imagenet" (Keras downloads VGG19 or VGG16), the path of a `vgg19.npy` or
    `vgg16.npy`, of a converted `.npz`, or of a Keras `.h5`, or "random" (seeded; for trials of
    the code, it teaches nothing). `depth` is "vgg19" (conv4_4) or "vgg16" (conv4_3).
    (N, H, W, 3) float32 RGB in [-1, 1] to (N, H/8, W/8, 512). Raises `InputError` naming every
    layer that the file lacks or has in another shape; further layers are ignored.
    """
    if depth not in feature_files.BLOCKS:
        raise InputError(f"depth: expected 'vgg19' or 'vgg16', received {depth!r}")
    if weights == "random":
        model = _build(depth, seed=0)
    else:
        values = _download(depth) if weights == "imagenet" else feature_files.read(weights)
        feature_files.check_fit(values, weights, depth)
        model = _build(depth)
        for name in conv_names(depth):
            layer = model.get_layer(name)
            for variable, value in zip((layer.kernel, layer.bias), values[name], strict=True):
                variable.assign(np.asarray(value, np.float32))
    model.trainable = False
    return model


def _build(depth, seed=None):
    image = keras.Input((None, None, 3), name="image")
    x = CaffePreprocessing(name="preprocessing")(image)
    names = conv_names(depth)
    for name in names:
        block, conv = int(name[4]), int(name[6])
        if conv == 1 and block > 1:
            x = layers.MaxPooling2D(2, padding="same", name=f"pool{block - 1}")(x)
        activation = None if name == names[-1] else "relu"
        x = Conv2D(
            FILTERS[block - 1],
            3,
            padding="same",
            activation=activation,
            kernel_initializer=keras.initializers.HeNormal(seed=seed),
            name=name,
        )(x)
    features = layers.Activation("linear", dtype="float32", name="features")(x)
    return keras.Model(image, features, name=f"features_{depth}")


def _download(depth):
    application = {"vgg19": keras.applications.VGG19, "vgg16": keras.applications.VGG16}[depth]
    try:
        model = application(weights="imagenet", include_top=False)
    except Exception as error:
        raise InputError(
            f"features: 'imagenet' could not be downloaded by Keras ({error}); pass the path of a "
            f"{depth}.npy or a Keras .h5 instead"
        ) from error
    return {
        name: [variable.numpy() for variable in model.get_layer(_keras_name(name)).weights]
        for name in conv_names(depth)
    }


def _keras_name(name):
    return f"block{name[4]}_{name[:4]}{name[6]}"
