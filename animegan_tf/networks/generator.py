"""The three generators: AnimeGANv2 ("v2"), its small variant ("lite"), AnimeGAN v1 ("v1").

Keras functional models: float32 RGB in [-1, 1] (N, H, W, 3) to the same; H and W are multiples of
`size_multiple(model)`. A layer's name is its TensorFlow 1 scope with "." for "/" (the layer
"C.r1.LayerNorm" has the scope generator/G_MODEL/C/r1/LayerNorm); `networks.tf1` relies on that.

Source: Chen, AnimeGANv2, 2020; Chen, Liu and Chen, AnimeGAN, ISICA 2019.
"""

import keras
from keras import layers

from animegan_tf.errors import InputError
from animegan_tf.networks.convolution import Conv2D
from animegan_tf.networks.layers import (
    LayerNorm2D,
    LegacyHalving2D,
    LegacyUpsampling2D,
    ReflectionPad2D,
)
from animegan_tf.recipes import SIZE_MULTIPLES
from animegan_tf.validation import check_choice

LRELU_SLOPE = 0.2
LAYER_NORM_EPSILON = 1e-12
INSTANCE_NORM_EPSILON = 1e-5
SEPARABLE_NORM_EPSILON = 1e-6

# The published norm of each generator, and the epsilon of a norm that replaces it.
PUBLISHED_NORMS = {"v2": "layer", "lite": "layer", "v1": "instance"}
_EPSILONS = {"layer": LAYER_NORM_EPSILON, "instance": INSTANCE_NORM_EPSILON}


def build_generator(arch: str = "v2", norm: str = "published") -> keras.Model:
    """Return the generator `arch` ("v2", "lite" or "v1") with newly initialised weights.

    `norm` is "layer" or "instance" for all norm layers; "published" is layer norm for "v2" and
    "lite" and instance norm for "v1". The number of weights and their names do not depend on it.

    A functional `keras.Model` named `generator_<arch>`: float32 RGB in [-1, 1], (N, H, W, 3), to an
    image of the same size and range. H and W must be multiples of 4 ("lite": 8). The parameters
    number 2,143,552, 698,240 and 3,956,096. Raises `InputError` for other values.
    """
    check_choice("arch", arch, _BODIES)
    check_choice("norm", norm, ("published", *_EPSILONS))
    photo = keras.Input((None, None, 3), name="photo")
    model = keras.Model(photo, _BODIES[arch](photo), name=f"generator_{arch}")
    if norm in ("published", PUBLISHED_NORMS[arch]):
        return model
    return keras.models.clone_model(model, clone_function=lambda layer: _renormed(layer, norm))


def _renormed(layer, norm):
    """A newly initialised copy of `layer`, with `norm` if it is a norm layer."""
    config = layer.get_config()
    if isinstance(layer, LayerNorm2D):
        config |= {"per_channel": norm == "instance", "epsilon": _EPSILONS[norm]}
    return type(layer).from_config(config)


def generator_norm(model: keras.Model) -> str:
    """The norm of a generator: "layer" or "instance"."""
    per_channel = any(layer.per_channel for layer in model.layers if isinstance(layer, LayerNorm2D))
    return "instance" if per_channel else "layer"


def size_multiple(model: keras.Model) -> int:
    """The number that the height and width of a generator's input must be a multiple of."""
    return SIZE_MULTIPLES[generator_arch(model)]


def generator_arch(model: keras.Model) -> str:
    """The `arch` that `model` was built with. Raises `InputError` for any other model."""
    kind, _, arch = model.name.partition("_")
    if kind != "generator" or arch not in SIZE_MULTIPLES:
        raise InputError(
            f"model: expected a generator of build_generator(), received one named {model.name!r}"
        )
    return arch


def matches_brightness(model: keras.Model) -> bool:
    """Whether outputs of `model` get the mean brightness of their photos by default.

    The attribute `match_brightness` of the generator, a property of the style; True, as published,
    where it is not set.
    """
    return getattr(model, "match_brightness", True)


def properties(model: keras.Model) -> dict:
    """The properties of a generator that weights files and exports record, as JSON values."""
    return {
        "arch": generator_arch(model),
        "multiple": size_multiple(model),
        "norm": generator_norm(model),
        "match_brightness": matches_brightness(model),
    }


def _suffix(index):
    """TensorFlow 1 appended a number to the second and later uses of a name in a scope."""
    return f"_{index}" if index else ""


def _he_normal():
    # TensorFlow 1 drew from a normal of variance 1.3 * 2 / fan_in, truncated at two standard
    # deviations. Keras expects the variance after truncation: smaller by this constant squared.
    return keras.initializers.VarianceScaling(1.3 * 2.0 * 0.87962566103423978**2, "fan_in")


def _reflect(x, kernel_size, stride, name):
    if kernel_size == 1:
        return x
    after = kernel_size // 2
    before = 0 if stride == 2 else after
    return ReflectionPad2D(((before, after), (before, after)), name=f"{name}.pad")(x)


def _conv(x, filters, kernel_size, name, stride=1, initializer=_he_normal):
    x = _reflect(x, kernel_size, stride, name)
    return Conv2D(
        filters,
        kernel_size,
        strides=stride,
        use_bias=False,
        kernel_initializer=initializer(),
        name=name,
    )(x)


def _depthwise(x, name, stride=1, use_bias=False, initializer=_he_normal):
    x = _reflect(x, 3, stride, name)
    return layers.DepthwiseConv2D(
        3,
        strides=stride,
        use_bias=use_bias,
        depthwise_initializer=initializer(),
        name=name,
    )(x)


def _lrelu(x, name):
    return layers.LeakyReLU(LRELU_SLOPE, name=f"{name}.lrelu")(x)


def _layer_norm(x, name, activate=True):
    x = LayerNorm2D(LAYER_NORM_EPSILON, name=name)(x)
    return _lrelu(x, name) if activate else x


def _instance_norm(x, name, activate=True, epsilon=INSTANCE_NORM_EPSILON):
    x = LayerNorm2D(epsilon, per_channel=True, name=name)(x)
    return _lrelu(x, name) if activate else x


def _output(x, name, initializer=_he_normal):
    x = _conv(x, 3, 1, name, initializer=initializer)
    # float32 also under mixed precision: losses and output images need the precision.
    return layers.Activation("tanh", dtype="float32", name="output")(x)


# --- AnimeGANv2 and lite -------------------------------------------------------------------------


def _block(x, filters, kernel_size, scope, index, stride=1):
    """Pad, convolve, layer norm, leaky ReLU; `index` counts the blocks of a scope."""
    x = _conv(x, filters, kernel_size, f"{scope}Conv{_suffix(index)}", stride)
    return _layer_norm(x, f"{scope}LayerNorm{_suffix(index)}")


def _inverted_residual(x, filters, name):
    inputs = x
    x = _conv(x, 2 * x.shape[-1], 1, f"C.{name}.Conv")
    x = _layer_norm(x, f"C.{name}.LayerNorm")
    x = _depthwise(x, f"C.{name}.{name}", use_bias=True)
    x = _layer_norm(x, f"C.{name}.1")
    x = _conv(x, filters, 1, f"C.{name}.Conv_1")
    x = _layer_norm(x, f"C.{name}.2", activate=False)
    return layers.Add(name=f"C.{name}.add")([inputs, x]) if inputs.shape[-1] == filters else x


def _v2(x):
    x = _block(x, 32, 7, "A.", 0)
    x = _block(x, 64, 3, "A.", 1, stride=2)
    x = _block(x, 64, 3, "A.", 2)

    x = _block(x, 128, 3, "B.", 0, stride=2)
    x = _block(x, 128, 3, "B.", 1)

    x = _block(x, 128, 3, "C.", 0)
    for name in ("r1", "r2", "r3", "r4"):
        x = _inverted_residual(x, 256, name)
    x = _block(x, 128, 3, "C.", 1)

    x = LegacyUpsampling2D(name="D.upsample")(x)
    x = _block(x, 128, 3, "D.", 0)
    x = _block(x, 128, 3, "D.", 1)

    x = LegacyUpsampling2D(name="E.upsample")(x)
    x = _block(x, 64, 3, "E.", 0)
    x = _block(x, 64, 3, "E.", 1)
    x = _block(x, 32, 7, "E.", 2)
    return _output(x, "out_layer.Conv")


def _lite_bottleneck(x, index):
    inputs, first = x, 7 + 3 * (index - 1)
    x = _layer_norm(_conv(x, 32, 1, f"Conv_{first}"), f"res{index}_1")
    x = _layer_norm(_conv(x, 32, 3, f"Conv_{first + 1}"), f"res{index}_2")
    x = _conv(x, 128, 1, f"Conv_{first + 2}")
    return layers.Add(name=f"res{index}.add")([inputs, x])


def _lite_up(x, skip, index, filters_up, filters, kernel_size):
    """Upsample, convolve, add the encoder's features of that size, convolve.

    Norms are numbered from 7 and convolutions from 19, since the bottlenecks name their norms
    differently.
    """
    x = LegacyUpsampling2D(name=f"up{index}.upsample")(x)
    convs, norms = 19 + 2 * index, 7 + 2 * index
    x = _layer_norm(_conv(x, filters_up, 3, f"Conv_{convs}"), f"LayerNorm_{norms}")
    x = layers.Add(name=f"up{index}.add")([x, skip])
    x = _conv(x, filters, kernel_size, f"Conv_{convs + 1}")
    return _layer_norm(x, f"LayerNorm_{norms + 1}")


def _lite(x):
    x0 = _block(x, 32, 7, "", 0)
    x1 = _block(_block(x0, 32, 3, "", 1, stride=2), 64, 3, "", 2)
    x2 = _block(_block(x1, 64, 3, "", 3, stride=2), 128, 3, "", 4)
    x = _block(_block(x2, 64, 3, "", 5, stride=2), 128, 3, "", 6)
    for index in (1, 2, 3, 4):
        x = _lite_bottleneck(x, index)
    x = _lite_up(x, x2, 0, 128, 64, 3)
    x = _lite_up(x, x1, 1, 64, 32, 3)
    x = _lite_up(x, x0, 2, 32, 32, 7)
    return _output(x, "out_layer.Conv")


# --- AnimeGAN v1 ---------------------------------------------------------------------------------


def _glorot():
    return keras.initializers.GlorotUniform()


def _small_normal():
    return keras.initializers.TruncatedNormal(0.0, 0.02)


def _v1_conv(x, filters, scope, index):
    x = _conv(x, filters, 3, f"{scope}.Conv{_suffix(index)}", initializer=_glorot)
    return _instance_norm(x, f"{scope}.InstanceNorm{_suffix(index)}")


def _v1_separable(x, filters, scope, index, stride=1):
    name = f"{scope}.SeparableConv2d{_suffix(index)}"
    x = _depthwise(x, f"{name}.depthwise", stride, initializer=_glorot)
    x = _conv(x, filters, 1, f"{name}.pointwise", initializer=_glorot)
    return _instance_norm(x, f"{name}.InstanceNorm", epsilon=SEPARABLE_NORM_EPSILON)


def _v1_down(x, filters, scope, index):
    strided = _v1_separable(x, filters, scope, index, stride=2)
    halved = LegacyHalving2D(name=f"{scope}.halve")(x)
    resized = _v1_separable(halved, filters, scope, index + 1)
    return layers.Add(name=f"{scope}.down")([strided, resized])


def _v1_up(x, filters, scope):
    x = LegacyUpsampling2D(name=f"{scope}.upsample")(x)
    return _v1_separable(x, filters, scope, 0)


def _v1_inverted_residual(x, filters, name):
    inputs = x
    x = _conv(x, 2 * x.shape[-1], 1, f"m.{name}.Conv", initializer=_glorot)
    x = _instance_norm(x, f"m.{name}.InstanceNorm")
    x = _depthwise(x, f"m.{name}.{name}", initializer=_small_normal)
    x = _instance_norm(x, f"m.{name}.1")
    x = _conv(x, filters, 1, f"m.{name}.Conv_1", initializer=_glorot)
    x = _instance_norm(x, f"m.{name}.2", activate=False)
    return layers.Add(name=f"m.{name}.add")([inputs, x])


def _v1(x):
    x = _v1_conv(x, 64, "b1", 0)
    x = _v1_conv(x, 64, "b1", 1)
    x = _v1_down(x, 128, "b1", 0)

    x = _v1_conv(x, 128, "b2", 0)
    x = _v1_separable(x, 128, "b2", 0)
    x = _v1_down(x, 256, "b2", 1)

    x = _v1_conv(x, 256, "m", 0)
    for index in range(1, 9):
        x = _v1_inverted_residual(x, 256, f"r{index}")
    x = _v1_conv(x, 256, "m", 1)

    x = _v1_up(x, 128, "u2")
    x = _v1_separable(x, 128, "u2", 1)
    x = _v1_conv(x, 128, "u2", 0)

    x = _v1_up(x, 128, "u1")
    x = _v1_conv(x, 64, "u1", 0)
    x = _v1_conv(x, 64, "u1", 1)
    return _output(x, "Conv", initializer=_glorot)


_BODIES = {"v2": _v2, "lite": _lite, "v1": _v1}
