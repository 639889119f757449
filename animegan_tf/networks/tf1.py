"""The TensorFlow 1 variable names and checkpoints of the published code.

A variable's name is the layer's scope (the layer's name with "/" for ".") and a leaf that depends
on the kind of layer. Published checkpoints are Saver files: `NAME.index` and
`NAME.data-00000-of-00001`, with or without a `checkpoint` file beside them.
"""

import os
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from animegan_tf.errors import InputError
from animegan_tf.networks import checkpoint_index
from animegan_tf.networks.generator import SIZE_MULTIPLES, build_generator
from animegan_tf.networks.layers import LayerNorm2D, SpectralConv2D

# Layers whose scope and leaf do not follow from their name alone.
_SEPARABLE = ("depthwise", "pointwise")


def variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Map the published variable names to the variables of a generator or discriminator.

    Contains every weight of `model` once, in the model's order, with the published shape, e.g.
    "generator/G_MODEL/A/Conv/weights" or "discriminator/conv_0/u". Raises `InputError` for a model
    that is not from `build_generator` or `build_discriminator`.
    """
    kind = model.name.partition("_")[0]
    if kind not in ("generator", "discriminator"):
        raise InputError(
            f"model: expected a generator or discriminator, received one named {model.name!r}"
        )
    prefix = "generator/G_MODEL/" if kind == "generator" else "discriminator/"
    named = {}
    for layer in model.layers:
        scope = prefix + layer.name.replace(".", "/")
        for leaf, variable in _leaves(layer, in_generator=kind == "generator"):
            named[_name(scope, leaf)] = variable
    missing = len(model.weights) - len(named)
    if missing:
        raise InputError(f"model: {missing} of its variables have no TensorFlow 1 name")
    return named


def _leaves(layer, in_generator):
    if isinstance(layer, LayerNorm2D):
        return [("beta", layer.beta), ("gamma", layer.gamma)]
    if isinstance(layer, SpectralConv2D):
        return [("kernel", layer.kernel), ("u", layer.u)]
    if isinstance(layer, layers.DepthwiseConv2D):
        leaves = [("w", layer.kernel)]
        return [*leaves, ("bias", layer.bias)] if layer.use_bias else leaves
    if isinstance(layer, layers.Conv2D):
        return [("weights" if in_generator else "conv2d/kernel", layer.kernel)]
    return []


def _name(scope, leaf):
    """slim's separable convolution stores both kernels in one scope, named by their kind."""
    parent, _, last = scope.rpartition("/")
    return f"{parent}/{last}_weights" if last in _SEPARABLE else f"{scope}/{leaf}"


def find_checkpoint(path: str | os.PathLike) -> str:
    """Return the prefix of the checkpoint at `path`.

    `path` is a prefix, an `.index` or `.data-*` file, or a folder with a `checkpoint` file or a
    single checkpoint. Raises `InputError` if there is none, or several and no `checkpoint` file.
    """
    path = Path(path)
    if path.is_dir():
        return _find_in_folder(path)
    prefix = path
    if path.suffix == ".index" or path.suffix.startswith(".data-"):
        prefix = path.with_suffix("")
    if not prefix.with_name(prefix.name + ".index").is_file():
        raise InputError(
            f"path: expected a TensorFlow 1 checkpoint (a prefix, its .index file or its folder), "
            f"received {str(path)!r}, and there is no {prefix.name}.index"
        )
    return str(prefix)


def exists(path: str | os.PathLike) -> bool:
    """Whether `find_checkpoint` finds a checkpoint at `path`."""
    try:
        find_checkpoint(path)
    except InputError:
        return False
    return True


def _find_in_folder(folder):
    try:
        state = tf.train.get_checkpoint_state(str(folder))
    except (ValueError, tf.errors.OpError):  # empty, or no text
        state = None
    if state is not None and state.model_checkpoint_path:
        # The file holds a path on the author's machine, of which only the last part is useful.
        name = Path(state.model_checkpoint_path.replace("\\", "/")).name
        if (folder / f"{name}.index").is_file():
            return str(folder / name)
    indexes = sorted(folder.glob("*.index"))
    if len(indexes) != 1:
        raise InputError(
            f"path: expected a folder with one checkpoint or a `checkpoint` file naming one, "
            f"received {str(folder)!r} with {len(indexes)} .index files"
        )
    return str(indexes[0].with_suffix(""))


def _open(path):
    prefix = find_checkpoint(path)
    checkpoint_index.check(prefix)
    try:
        return prefix, tf.train.load_checkpoint(prefix)
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise InputError(f"path: {prefix!r} is not a readable checkpoint: {error}") from error


def _check(named, shapes, path):
    missing = [name for name in named if name not in shapes]
    misshapen = [
        f"{name} (expected {list(variable.shape)}, received {list(shapes[name])})"
        for name, variable in named.items()
        if name in shapes and list(shapes[name]) != list(variable.shape)
    ]
    problems = []
    if missing:
        problems.append("it lacks " + ", ".join(missing))
    if misshapen:
        problems.append("these shapes differ: " + ", ".join(misshapen))
    if problems:
        raise InputError(f"path: {path!r} does not fit the model: " + "; ".join(problems))


def load(model: keras.Model, path: str | os.PathLike) -> None:
    """Restore a generator or discriminator from the published checkpoint at `path`.

    `path` is as in `find_checkpoint`. Other variables of the checkpoint (Adam slots, the other
    network) are ignored. Raises `InputError` with the names of all variables that are missing, have
    another shape or cannot be read; the model is then unchanged.
    """
    named = variables(model)
    prefix, reader = _open(path)
    _check(named, reader.get_variable_to_shape_map(), prefix)
    try:
        values = {name: np.asarray(reader.get_tensor(name)) for name in named}
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        raise InputError(f"path: {prefix!r} is damaged: {error}") from error
    for name, variable in named.items():
        variable.assign(values[name])


def load_generator(path: str | os.PathLike) -> tuple[str, keras.Model]:
    """Return (arch, model): the generator of the checkpoint at `path`, restored.

    Raises `InputError` as `find_arch` and `load` do.
    """
    arch = find_arch(path)
    model = build_generator(arch)
    load(model, path)
    return arch, model


def find_arch(path: str | os.PathLike) -> str:
    """The arch ("v2", "lite" or "v1") of the generator in the checkpoint at `path`.

    If it fits none, raises `InputError` that lists the differences from the nearest.
    """
    prefix, reader = _open(path)
    shapes = reader.get_variable_to_shape_map()
    named = {arch: variables(build_generator(arch)) for arch in SIZE_MULTIPLES}

    def misfit(arch):
        wrong = (list(shapes.get(n, ())) != list(v.shape) for n, v in named[arch].items())
        return sum(wrong) / len(named[arch])

    nearest = min(named, key=misfit)
    try:
        _check(named[nearest], shapes, prefix)
    except InputError as error:
        raise InputError(f"{error} (nearest: {nearest})") from None
    return nearest
