"""A generator, or another function of tensors, to a TFLite file in floats."""

import tempfile

import tensorflow as tf

from animegan_tf.networks import metadata
from animegan_tf.networks.portable import portable_generator

SIGNATURE = "stylize"
# What a file for any size has until its input is resized, and what its ranges are measured at.
FIRST_SIZE = (256, 256)


def convert(model, size=None, mode="none"):
    """The TFLite file (bytes) of `model`, a generator of `build_generator`.

    Input and output are float32 RGB in [-1, 1], both named "images". size: (height, width), or None
    for any size. mode: "none", or see `convert_function`.
    """
    portable = portable_generator(model, *(size or (None, None)))
    run = with_constants(portable)
    pictures = tf.TensorSpec((1, *(size or (None, None)), 3), tf.float32, "images")
    made = convert_function(lambda images: {"images": run(images)}, [pictures], mode)
    return made if size else metadata.with_first_size(made, *FIRST_SIZE)


def with_constants(model):
    """`model` as a function whose weights are constants of the graph that calls it.

    Variables would stay outside a TFLite file, and its answers be NaN.
    """
    constants = [tf.constant(variable.numpy()) for variable in model.trainable_variables]
    return lambda batch: model.stateless_call(constants, [], batch)[0]


def convert_function(function, specs, mode="none"):
    """The TFLite file (bytes) of a function of tensors to a dict of tensors.

    It has built-in operators only and the signature "stylize", with the names of `specs` and of the
    dict. mode: "float16" or "dynamic" for weights like that.
    """
    module = tf.Module()
    module.run = tf.function(function, input_signature=specs, autograph=False)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={SIGNATURE: module.run})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if mode in ("float16", "dynamic"):
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if mode == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()
