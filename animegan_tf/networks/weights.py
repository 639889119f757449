"""Generators on disk: run directories, `.weights.h5` files, TensorFlow 1 checkpoints.

The project's own format is Keras' `.weights.h5` of the generator alone. The architecture follows
from the number of parameters. Other properties (`networks.generator.properties`), such as the norm
and `match_brightness`, are stored as JSON in the file's attribute `animegan_tf`.
"""

import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from animegan_tf import storage
from animegan_tf.errors import InputError

if TYPE_CHECKING:
    import keras

RUN_WEIGHTS = "generator.weights.h5"
# A run's folder for the generators of single epochs (--keep_every).
EPOCH_WEIGHTS = "epochs"
SCALARS = "scalars.jsonl"
SUFFIX = ".weights.h5"
_H5_SUFFIXES = (".h5", ".hdf5")
_ATTRIBUTE = "animegan_tf"
_PARAMETERS = {2_143_552: "v2", 698_240: "lite", 3_956_096: "v1"}


def load_generator(checkpoint: str | os.PathLike) -> "keras.Model":
    """Return the generator of `checkpoint`, a `keras.Model` of `build_generator`.

    `checkpoint` is a run directory of `animegan_tf.train`, one of its `checkpoints/ckpt-<step>`, a
    `.weights.h5` file, or a TensorFlow 1 checkpoint (prefix, `.index` file or folder). The
    architecture is detected. Raises `InputError` if there is no checkpoint, or none of a known
    architecture.
    """
    path = Path(checkpoint)
    if path.is_dir():
        if (path / RUN_WEIGHTS).is_file():
            return _load_h5(path / RUN_WEIGHTS)
        if not (path / "checkpoint").is_file() and not list(path.glob("*.index")):
            raise InputError(
                f"checkpoint: expected a run directory (with {RUN_WEIGHTS}) or a folder with a "
                f"TensorFlow 1 checkpoint, received {str(path)!r}, which holds neither"
            )
        return _load_tf1(path)
    if path.suffix in _H5_SUFFIXES:
        if not path.is_file():
            raise InputError(f"checkpoint: there is no file {str(path)!r}")
        return _load_h5(path)
    run_weights = path.parent.parent / RUN_WEIGHTS
    if path.parent.name == "checkpoints" and run_weights.is_file():
        return _load_run_checkpoint(path.with_suffix(""), run_weights)
    return _load_tf1(path)


def own_file(checkpoint: str | os.PathLike) -> Path | None:
    """The weights file that `load_generator` would read for `checkpoint`, or None for other kinds.

    The contents are not checked. Needs no TensorFlow.
    """
    path = Path(checkpoint)
    if path.is_dir():
        path /= RUN_WEIGHTS
    return path if path.suffix in _H5_SUFFIXES and path.is_file() else None


def check_output(path, overwrite):
    """Raise `InputError` if `output` exists or has the wrong suffix. Needs no TensorFlow."""
    if Path(path).exists() and not overwrite:
        raise InputError(f"output: {str(path)!r} exists; --overwrite replaces it")
    _check_name("output", path)


def _check_name(argument, path):
    if not Path(path).name.endswith(SUFFIX):
        raise InputError(f"{argument}: expected a name ending in {SUFFIX}, received {str(path)!r}")


def save_generator(model: "keras.Model", path: str | os.PathLike, half: bool = False) -> None:
    """Write the weights and properties of `model` to `path`, a `.weights.h5` file, atomically.

    `half` rounds the weights to float16, which halves the file; they are loaded as float32.
    """
    from animegan_tf.networks.generator import properties

    _check_name("path", path)
    memory = _Memory()
    model.save_weights(memory)
    memory = _halved(memory) if half else memory
    _write_properties(memory, properties(model))
    storage.write_bytes(path, memory.getvalue())


def _write_properties(file, properties):
    import h5py

    with h5py.File(file, "r+") as opened:
        opened.attrs[_ATTRIBUTE] = json.dumps(properties)


def _halved(memory):
    """A copy of the weights file in `memory` with float16 for float32."""
    import h5py
    import numpy as np

    halved = _Memory()
    with h5py.File(memory, "r") as file, h5py.File(halved, "w") as output:

        def copy(name, item):
            if isinstance(item, h5py.Group):
                copied = output.require_group(name)
            else:
                copied = output.create_dataset(name, data=np.asarray(item, np.float16))
            copied.attrs.update(item.attrs)

        output.attrs.update(file.attrs)
        file.visititems(copy)
    return halved


class _Memory(io.BytesIO):
    """A file in memory: on a full disk HDF5 would end the process. Keras uses its name (`str`)."""

    def __str__(self):
        return RUN_WEIGHTS


def _load_tf1(path):
    from animegan_tf.networks import tf1

    if not tf1.exists(path):
        raise InputError(
            "checkpoint: expected a run directory, a .weights.h5 file or a TensorFlow 1 "
            f"checkpoint, received {str(path)!r}, which is none of them"
        )
    return tf1.load_generator(path)[1]


def _load_run_checkpoint(prefix, run_weights):
    """The generator in a run's checkpoint, the moving average if there is one."""
    import tensorflow as tf

    from animegan_tf.errors import reason_of
    from animegan_tf.networks import checkpoint_index, tf1

    # Of the same kind, and it records the properties.
    model = _load_h5(run_weights)
    named = {name: variable.value for name, variable in tf1.variables(model).items()}
    try:
        checkpoint_index.check(str(prefix))
        keys = tf.train.load_checkpoint(str(prefix)).get_variable_to_shape_map()
        part = "average" if any(key.startswith("average/") for key in keys) else "generator"
        status = tf.train.Checkpoint(**{part: named}).restore(str(prefix))
        status.assert_existing_objects_matched()
        status.expect_partial()
    except (tf.errors.OpError, ValueError, AssertionError, RuntimeError) as error:
        raise InputError(
            f"checkpoint: {str(prefix)!r} cannot be read: {reason_of(error)}"
        ) from error
    return model


def _load_h5(path):
    from animegan_tf.networks import build_generator

    arch, properties = _look_into(path)
    try:
        model = build_generator(arch, properties.get("norm", "published"))
        model.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        raise InputError(f"checkpoint: {str(path)!r} does not fit its arch: {error}") from error
    # True, as published, if nothing is recorded.
    model.match_brightness = properties.get("match_brightness", True) is not False
    return model


def _look_into(path):
    """The arch of a weights file and its properties (a dict)."""
    import h5py

    sizes = []
    try:
        with h5py.File(path, "r") as file:
            file.visititems(
                lambda _, item: sizes.append(item.size) if isinstance(item, h5py.Dataset) else None
            )
            properties = json.loads(file.attrs.get(_ATTRIBUTE, "{}"))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"checkpoint: {str(path)!r} is not a readable weights file: {error}"
        ) from error
    if not isinstance(properties, dict):
        raise InputError(
            f"checkpoint: {str(path)!r}: expected a JSON object in its attribute {_ATTRIBUTE}, "
            f"received {properties!r}"
        )
    if sum(sizes) not in _PARAMETERS:
        expected = ", ".join(f"{count:,} ({arch})" for count, arch in _PARAMETERS.items())
        raise InputError(
            f"checkpoint: expected a generator's weights with {expected} parameters, "
            f"received {str(path)!r} with {sum(sizes):,}"
        )
    return _PARAMETERS[sum(sizes)], properties
