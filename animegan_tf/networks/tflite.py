"""Conversion of a generator, or of another function of tensors, to a float TFLite file."""

import tempfile

import tensorflow as tf

from animegan_tf.networks import metadata, saved_model
from animegan_tf.networks.portable import portable_generator

SIGNATURE = "stylize"
# The initial input size of a file for any size; quantisation is calibrated at this size too.
FIRST_SIZE = (256, 256)


def convert(model, size=None, mode="none"):
    """The TFLite file (bytes) of `model`, a generator of `build_generator`.

    Input and output are float32 RGB in [-1, 1], both named "images". size: (height, width), or None
    for any size. mode: "none", or see `convert_function`.
    """
    portable = portable_generator(model, *(size or (None, None)))
    run = with_constants(portable)
    spec = tf.TensorSpec((1, *(size or (None, None)), 3), tf.float32, "images")
    file = convert_function(lambda images: {"images": run(images)}, [spec], mode)
    return file if size else metadata.with_first_size(file, *FIRST_SIZE)


def with_constants(model):
    """`model` as a function whose weights are constants of the graph that calls it.

    Variables are not stored in a TFLite file; its outputs would be NaN.
    """
    constants = [tf.constant(variable.numpy()) for variable in model.trainable_variables]
    return lambda batch: model.stateless_call(constants, [], batch)[0]


def convert_function(function, specs, mode="none"):
    """The TFLite file (bytes) of a function of tensors to a dict of tensors.

    It uses built-in operators only. Its signature "stylize" has the names of `specs` as inputs and
    the keys of the dict as outputs. mode: "float16" or "dynamic" to store weights in that form.
    """
    module = tf.Module()
    module.run = tf.function(function, input_signature=specs, autograph=False)
    with tempfile.TemporaryDirectory() as folder:
        saved_model.save(module, folder, {SIGNATURE: module.run})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if mode in ("float16", "dynamic"):
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if mode == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()
