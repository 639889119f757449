"""Perceptual features: VGG19 up to conv4_4 or VGG16 up to conv4_3, before the ReLU, frozen.

Input float32 RGB in [-1, 1] (N, H, W, 3); output (N, H/8, W/8, 512), float32. Inside, the Caffe
model's preprocessing: (x + 1) * 127.5, RGB to BGR, minus the ImageNet means. Weights come from
Keras, from a `vgg19.npy` or `vgg16.npy` ({"conv1_1": [kernel HWIO, bias], ...} pickled into a
.npy), or from a Keras `.h5`.

Source: Simonyan and Zisserman, 2014; the layer is the one of Chen, AnimeGANv2, 2020.
"""

import pickle
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from animegan_tf.errors import InputError
from animegan_tf.networks.convolution import Conv2D

BGR_MEANS = (103.939, 116.779, 123.68)
_BLOCKS = {"vgg19": (2, 2, 4, 4), "vgg16": (2, 2, 3, 3)}
_FILTERS = (64, 128, 256, 512)


@keras.saving.register_keras_serializable(package="animegan_tf")
class CaffePreprocessing(keras.layers.Layer):
    """float32 RGB in [-1, 1] to the Caffe models' input: BGR, 0..255, ImageNet means subtracted."""

    def call(self, inputs):
        bgr = tf.reverse((tf.cast(inputs, tf.float32) + 1.0) * 127.5, axis=[-1])
        return tf.cast(bgr - tf.constant(BGR_MEANS), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


def conv_names(depth):
    """The names of the convolutions that features of `depth` need, e.g. "conv1_1"."""
    return [
        f"conv{block}_{conv}"
        for block, count in enumerate(_BLOCKS[depth], 1)
        for conv in range(1, count + 1)
    ]


def build_feature_extractor(weights, depth="vgg19"):
    """Return the frozen feature extractor as a `keras.Model` named `features_<depth>`.

    `weights` is "imagenet" (Keras downloads VGG19 or VGG16), the path of a `vgg19.npy` /
    `vgg16.npy` or of a Keras `.h5`, or "random" (seeded; for trials of the code, it teaches
    nothing). `depth` is "vgg19" (conv4_4) or "vgg16" (conv4_3).
    (N, H, W, 3) float32 RGB in [-1, 1] to (N, H/8, W/8, 512). Raises `InputError` naming every
    layer that the file lacks or has in another shape; further layers are ignored.
    """
    if depth not in _BLOCKS:
        raise InputError(f"depth: expected 'vgg19' or 'vgg16', received {depth!r}")
    if weights == "random":
        model = _build(depth, seed=0)
    else:
        values = _read_weights(weights, depth)
        model = _build(depth)
        _check(values, model, weights, depth)
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
            _FILTERS[block - 1],
            3,
            padding="same",
            activation=activation,
            kernel_initializer=keras.initializers.HeNormal(seed=seed),
            name=name,
        )(x)
    features = layers.Activation("linear", dtype="float32", name="features")(x)
    return keras.Model(image, features, name=f"features_{depth}")


def _check(values, model, source, depth):
    problems = []
    for name in conv_names(depth):
        layer = model.get_layer(name)
        expected = [tuple(layer.kernel.shape), tuple(layer.bias.shape)]
        if name not in values:
            problems.append(f"it lacks {name}")
            continue
        received = [np.shape(value) for value in values[name]]
        if received != expected:
            problems.append(f"{name} has shapes {received} where {expected} are expected")
    # Every layer of VGG16 is in a VGG19 file under the same name, and would give other features.
    if not problems and depth == "vgg16" and "conv3_4" in values:
        problems.append("it is a VGG19 (it has conv3_4)")
    if problems:
        raise InputError(f"weights: {str(source)!r} does not fit {depth}: " + "; ".join(problems))


def _read_weights(weights, depth):
    """The file's layers as {"conv1_1": [kernel, bias], ...}."""
    if weights == "imagenet":
        return _download(depth)
    path = Path(weights)
    if not path.is_file():
        raise InputError(
            f"weights: expected 'imagenet', a .npy or a Keras .h5 file, received {str(path)!r}, "
            f"which is not a file"
        )
    readers = {".npy": _read_npy, ".h5": _read_h5, ".hdf5": _read_h5}
    if path.suffix not in readers:
        raise InputError(f"weights: expected a .npy or .h5 file, received {str(path)!r}")
    return readers[path.suffix](path)


def _download(depth):
    application = {"vgg19": keras.applications.VGG19, "vgg16": keras.applications.VGG16}[depth]
    try:
        model = application(weights="imagenet", include_top=False)
    except Exception as error:
        raise InputError(
            f"weights: 'imagenet' could not be downloaded by Keras ({error}); pass the path of a "
            f"{depth}.npy or a Keras .h5 instead"
        ) from error
    return {
        name: [variable.numpy() for variable in model.get_layer(_keras_name(name)).weights]
        for name in conv_names(depth)
    }


def _keras_name(name):
    return f"block{name[4]}_{name[:4]}{name[6]}"


# What pickles of arrays call. NumPy 2 keeps it elsewhere than NumPy 1, both in private modules.
_RECONSTRUCT = np.empty(0).__reduce__()[0]


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles dicts, lists and numpy arrays; any other global is refused, not imported."""

    def __init__(self, file):
        # Python 2 wrote the published files; latin1 keeps its byte strings as they are.
        super().__init__(file, encoding="latin1")

    def find_class(self, module, name):
        allowed = {
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
            ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
            ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
            ("_codecs", "encode"): _encode_latin1,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of a weights file")
        return allowed[module, name]


def _encode_latin1(text, encoding):
    """`_codecs.encode` as pickles of byte strings call it."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encoding {encoding!r} is not part of a weights file")
    return text.encode("latin1")


def _read_npy(path):
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            reader = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, _, dtype = reader(file)
            if shape != () or dtype.kind != "O":
                raise ValueError(f"an array of {dtype} with shape {shape}")
            # np.load(allow_pickle=True) would run whatever the file asks for.
            values = _ArrayUnpickler(file).load()
            values = values.item() if isinstance(values, np.ndarray) else values
    except (ValueError, KeyError, EOFError, TypeError, AttributeError, pickle.PickleError) as error:
        raise InputError(
            f"weights: {str(path)!r} is not a pickled dict of VGG layers: {error}"
        ) from error
    if not isinstance(values, dict):
        raise InputError(f"weights: {str(path)!r} holds a {type(values).__name__}, not a dict")
    return {str(name): list(pair) for name, pair in values.items()}


def _read_h5(path):
    import h5py

    values = {}

    def visit(name, item):
        if not isinstance(item, h5py.Dataset):
            return
        for part in name.split("/"):
            if part.startswith("block") and "_conv" in part:
                digits = part.removeprefix("block").split("_conv")
                conv = f"conv{digits[0]}_{digits[1][:1]}"
                values.setdefault(conv, {})[item.ndim] = np.asarray(item)
                return

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except OSError as error:
        raise InputError(f"weights: {str(path)!r} is not a readable HDF5 file: {error}") from error
    return {name: [found.get(4), found.get(1)] for name, found in values.items()}
