"""Inference engines: Keras, TFLite files with LiteRT, SavedModels, or automatic choice.

`base.Engine` is their protocol; `load_engine` chooses one for a checkpoint. Loads no TensorFlow.
"""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from animegan_tf.stylize.engines.base import Engine
from animegan_tf.stylize.engines.keras import KerasEngine
from animegan_tf.stylize.engines.litert import TFLITE_SUFFIX, ConvertedEngine, LiteRTEngine
from animegan_tf.stylize.engines.saved_model import SavedModelEngine, saved_model_folder
from animegan_tf.stylize.engines.trial import refuse_crashing
from animegan_tf.stylize.options import ENGINES
from animegan_tf.validation import check_choice

if TYPE_CHECKING:
    import keras


def load_engine(
    checkpoint: "str | os.PathLike | keras.Model",
    engine: str = "auto",
    strip_memory: float | None = None,
    quietly=contextlib.nullcontext,
) -> Engine:
    """The engine for `checkpoint`: a model of `build_generator`, or a path.

    engine: "litert" converts a Keras network for LiteRT, "keras" uses Keras; "auto" is an
        `AutoEngine` for weights files and run directories, else Keras.
    strip_memory: see `KerasEngine`; not for exports and "litert". With "auto" it selects Keras.
    quietly: see `AutoEngine` and `ConvertedEngine`.

    A path is a .tflite file, a SavedModel folder (or the folder of its numbered versions), or a
    checkpoint for `animegan_tf.networks.weights.load_generator`. Raises `InputError` for others.
    """
    check_choice("engine", engine, ENGINES)
    if not isinstance(checkpoint, (str, os.PathLike)):
        return _of_model(checkpoint, engine, strip_memory, quietly)
    path = Path(checkpoint)
    if path.suffix == TFLITE_SUFFIX:
        if path.is_file():
            refuse_crashing(path)
        return LiteRTEngine(path)
    if saved_model_folder(path) is not None:
        return SavedModelEngine(saved_model_folder(path))
    from animegan_tf.networks.weights import load_generator, own_file

    file = own_file(path)
    if engine == "auto" and strip_memory is None and file is not None:
        from animegan_tf.stylize.engines.auto import AutoEngine

        return AutoEngine(file, quietly)
    return _of_model(load_generator(path), engine, strip_memory, quietly)


def _of_model(model, engine, strip_memory, quietly):
    if engine == "litert":
        return ConvertedEngine(model, quietly)
    return KerasEngine(model, strip_memory)


def is_export(checkpoint):
    """Whether `checkpoint` is the path of a TFLite file or a SavedModel."""
    if not isinstance(checkpoint, (str, os.PathLike)):
        return False
    return Path(checkpoint).suffix == TFLITE_SUFFIX or saved_model_folder(checkpoint) is not None


def needs_tensorflow(checkpoint, engine="auto", strip_memory=None):
    """Whether `load_engine` loads TensorFlow for these arguments."""
    if not isinstance(checkpoint, (str, os.PathLike)):
        return True
    if Path(checkpoint).suffix == TFLITE_SUFFIX:
        return False
    if engine != "auto" or strip_memory is not None or is_export(checkpoint):
        return True
    from animegan_tf.networks.weights import own_file
    from animegan_tf.stylize.engines.auto import is_ready

    file = own_file(checkpoint)
    return file is None or not is_ready(file)
