"""Inference engines: Keras, LiteRT, OpenVINO, exported files, or automatic choice.

`base.Engine` is their protocol; `load_engine` chooses one for a checkpoint. Loads no TensorFlow.
"""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from animegan_tf import styles
from animegan_tf.errors import InputError
from animegan_tf.networks.weights import own_file
from animegan_tf.stylize.engines.auto import AutoEngine, is_ready
from animegan_tf.stylize.engines.base import Engine
from animegan_tf.stylize.engines.converted import ConvertedEngine
from animegan_tf.stylize.engines.keras import KerasEngine
from animegan_tf.stylize.engines.litert import TFLITE_SUFFIX, LiteRTEngine
from animegan_tf.stylize.engines.runtimes import RUNTIMES, has_bfloat16
from animegan_tf.stylize.engines.saved_model import SavedModelEngine, saved_model_folder
from animegan_tf.stylize.engines.trial import refuse_crashing
from animegan_tf.stylize.options import ENGINES, PRECISIONS
from animegan_tf.validation import check_choice

if TYPE_CHECKING:
    import keras


def load_engine(
    checkpoint: "str | os.PathLike | keras.Model",
    engine: str = "auto",
    strip_memory: float | None = None,
    quietly=contextlib.nullcontext,
    precision: str = "float32",
) -> Engine:
    """The engine for `checkpoint`: a model of `build_generator`, or a path.

    engine: "litert" and "openvino" convert a Keras network, "keras" uses Keras; "auto" is an
        `AutoEngine` for weights files and run directories, else Keras.
    strip_memory: see `KerasEngine`; not for exports, "litert" and "openvino". With "auto" it
        selects Keras.
    quietly: see `AutoEngine`.
    precision: "float32", "bfloat16" or "auto", which is float32 for exports and published styles.

    A path is a .tflite file, a SavedModel folder (or the folder of its numbered versions), or a
    checkpoint for `animegan_tf.networks.weights.load_generator`. Raises `InputError` for others,
    and for a precision that the processor, the engine or an export lacks.
    """
    check_choice("engine", engine, ENGINES)
    check_precision(precision, checkpoint, engine)
    if not isinstance(checkpoint, (str, os.PathLike)):
        return _of_model(checkpoint, engine, strip_memory, quietly, precision)
    path = Path(checkpoint)
    if path.suffix == TFLITE_SUFFIX:
        if path.is_file():
            refuse_crashing(path)
        return LiteRTEngine(path)
    if saved_model_folder(path) is not None:
        return SavedModelEngine(saved_model_folder(path))
    file = own_file(path)
    if precision == "auto" and file is not None and styles.is_published(file):
        precision = "float32"
    if strip_memory is None and file is not None and engine != "keras":
        return AutoEngine(file, quietly, engine, precision)
    from animegan_tf.networks.weights import load_generator

    return _of_model(load_generator(path), engine, strip_memory, quietly, precision)


def _of_model(model, engine, strip_memory, quietly, precision):
    precision = "float32" if precision == "auto" else precision
    if engine not in RUNTIMES:
        return KerasEngine(model, strip_memory, precision)
    from animegan_tf.stylize.stable import converted

    with quietly():
        return ConvertedEngine(converted(model, engine), engine, precision)


def check_precision(precision, checkpoint=None, engine="auto"):
    """Raise `InputError` for a precision that the processor, the engine or an export lacks."""
    check_choice("precision", precision, PRECISIONS)
    if precision != "bfloat16":
        return
    reason = None
    if is_export(checkpoint):
        reason = f"the export {checkpoint}"
    elif engine == "litert":
        reason = "the engine litert"
    elif not has_bfloat16():
        reason = "this processor, which has no instructions for it"
    if reason is not None:
        raise InputError(f"precision: expected float32 or auto for {reason}, received bfloat16")


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
    if engine == "keras" or strip_memory is not None or is_export(checkpoint):
        return True
    file = own_file(checkpoint)
    return file is None or not is_ready(file, engine)
