"""Small networks in place of the real ones, and the golden weights for real ones."""

import contextlib
import subprocess
from unittest import mock

import numpy as np
import seeded


def assign_seeded(model, u_start=None):
    """Give `model` the golden weights; `u_start` maps the names of `u` to other starting values."""
    from animegan_tf.networks import tf1

    for name, variable in tf1.variables(model).items():
        if u_start is not None and name.endswith("/u"):
            variable.assign(u_start[name])
        else:
            variable.assign(seeded.variable(name, tuple(variable.shape)))


def toy_features(weights, depth):
    """Stands for `build_feature_extractor`: one seeded convolution."""
    import keras

    del weights, depth
    inputs = keras.Input((None, None, 3))
    kernel = keras.initializers.HeNormal(seed=1)
    model = keras.Model(inputs, keras.layers.Conv2D(4, 3, 2, kernel_initializer=kernel)(inputs))
    model.trainable = False
    return model


def toy_generator(arch, norm="published"):
    """One convolution and a norm under names that `tf1` maps, so that a run takes seconds.

    Its weights are the same each time, so that a bound in decibels holds each time or never.
    """
    assert norm in ("published", "layer"), norm
    import keras

    from animegan_tf.networks.layers import LayerNorm2D

    def conv(channels, size, seed, name):
        kernel = keras.initializers.GlorotUniform(seed=seed)
        return keras.layers.Conv2D(
            channels, size, padding="same", use_bias=False, kernel_initializer=kernel, name=name
        )

    photo = keras.Input((None, None, 3))
    x = conv(4, 3, 7, "Conv")(photo)
    x = LayerNorm2D(1e-12, name="LayerNorm")(x)
    x = conv(3, 1, 8, "out_layer.Conv")(x)
    x = keras.layers.Activation("tanh", dtype="float32")(x)
    return keras.Model(photo, x, name=f"generator_{arch}")


def layered_generator():
    """A small network of the generators' layers, as exports need: half the size in its middle."""
    import keras

    from animegan_tf.networks.convolution import Conv2D
    from animegan_tf.networks.layers import LayerNorm2D, LegacyUpsampling2D, ReflectionPad2D

    keras.utils.set_random_seed(0)
    photo = keras.Input((None, None, 3))
    x = ReflectionPad2D(((0, 1), (0, 1)))(photo)
    x = LayerNorm2D(1e-12)(Conv2D(4, 3, strides=2, use_bias=False)(x))
    x = LegacyUpsampling2D()(keras.layers.LeakyReLU(0.2)(x))
    x = Conv2D(3, 1, activation=None, use_bias=False)(x)
    x = keras.layers.Activation("tanh")(x)
    return with_drawn_norms(keras.Model(photo, x, name="generator_lite"))


def with_drawn_norms(model):
    """`model` with norms and biases that no operator may leave out."""
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if variable.name in ("gamma", "beta", "bias"):
            variable.assign(random.normal(variable.name == "gamma", 0.3, variable.shape))
    return model


@contextlib.contextmanager
def toy_networks():
    """Runs of training in this process have small networks meanwhile."""
    from animegan_tf import networks
    from animegan_tf.networks import weights

    built = {"build_feature_extractor": toy_features, "build_generator": toy_generator}
    with (
        mock.patch.dict(vars(networks), built),
        mock.patch.dict(weights._PARAMETERS, {128: "lite"}),
    ):
        yield


@contextlib.contextmanager
def exports_checked_here():
    """Exports are checked in this process meanwhile, which has TensorFlow already."""
    from animegan_tf.export import check, isolated

    def run(kind, request, folder):
        del kind, folder
        isolated.main(request)
        return subprocess.CompletedProcess(request, 0)

    with mock.patch.object(check, "_run_python", run):
        yield


def two_norms(per_channel=False):
    """Two norm layers between convolutions, with fixed random weights."""
    import keras

    from animegan_tf.networks.layers import LayerNorm2D

    keras.utils.set_random_seed(3)
    photo = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)(photo)
    x = LayerNorm2D(1e-5, per_channel, name="first")(x)
    x = keras.layers.Conv2D(4, 3, padding="same")(keras.layers.LeakyReLU(0.2)(x))
    x = LayerNorm2D(1e-5, per_channel, name="second")(x)
    x = keras.layers.Conv2D(3, 1, activation="tanh")(x)
    model = keras.Model(photo, x, name="generator_lite")
    random = np.random.default_rng(5)
    for name in ("first", "second"):
        gamma = random.uniform(0.5, 1.5, 4)
        model.get_layer(name).set_weights([gamma, random.uniform(-0.5, 0.5, 4)])
    return model
