"""Conversion of a generator to a TFLite file in each quantisation mode."""

import contextlib
import warnings
from io import StringIO

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from animegan_tf.export import files
from animegan_tf.networks import tflite

INTEGER_BITS = {"int8": 8, "int16x8": 16}
MODES = ("none", "float16", "dynamic", *INTEGER_BITS)
IO_TYPES = ("float32", "uint8", "int8")

# Operators that run in integers. The statistics of the norms and operators that use them stay in
# float32: 8 bits would cost 15 dB, and TFLite lacks 16-bit kernels for some of them.
_INTEGER_OPS = {
    "int8": ("CONV_2D", "DEPTHWISE_CONV_2D", "CONCATENATION", "SLICE"),
    "int16x8": ("CONV_2D", "DEPTHWISE_CONV_2D"),
}


def convert(model, mode, size=None, calibration=(), io="float32"):
    """The TFLite file (bytes) of `model`, a generator of `build_generator`.

    mode: one of `MODES`. "none" has float32 weights, "float16" half-precision weights, "dynamic"
    8-bit weights with activations quantised at run time, "int8" and "int16x8" 8-bit weights with 8-
    or 16-bit activations calibrated on `calibration`, an iterable of float32 (1, height, width, 3)
    in [-1, 1]. size: (height, width), or None for any size. io: type of input and output, both
    "images" of the signature "stylize"; others than "float32" for "int8" only.
    """
    float_file = tflite.convert(model, size, mode)
    if mode not in INTEGER_BITS:
        return float_file
    return _quantize(float_file, mode, calibration, io)


def _quantize(float_file, mode, calibration, io):
    quantization, qtyping = load_quantizer()
    bits = INTEGER_BITS[mode]

    def config(dtype):
        return qtyping.OpQuantizationConfig(
            activation_tensor_config=qtyping.TensorQuantizationConfig(
                # 16-bit kernels have no zero point.
                num_bits=bits,
                symmetric=bits == 16,
                granularity=qtyping.QuantGranularity.TENSORWISE,
                dtype=dtype,
            ),
            weight_tensor_config=qtyping.TensorQuantizationConfig(
                num_bits=8, symmetric=True, granularity=qtyping.QuantGranularity.CHANNELWISE
            ),
            compute_precision=qtyping.ComputePrecision.INTEGER,
        )

    signed, unsigned = qtyping.TensorDataType.INT, qtyping.TensorDataType.UINT
    recipe = dict.fromkeys(_INTEGER_OPS[mode], config(signed))
    if io != "float32":
        recipe |= dict.fromkeys(("INPUT", "OUTPUT"), config(signed if io == "int8" else unsigned))
    quantizer = quantization.Quantizer(bytearray(float_file))
    for name, its in recipe.items():
        quantizer.update_quantization_recipe(
            regex=".*", operation_name=qtyping.TFLOperationName(name), op_config=its
        )
    # The library prints progress bars and warnings.
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stderr(StringIO()),
        contextlib.redirect_stdout(StringIO()),
    ):
        warnings.simplefilter("ignore")
        batches = [{"images": photo} for photo in calibration]
        ranges = quantizer.calibrate({tflite.SIGNATURE: batches})
        if io != "float32":
            ranges |= _image_ranges(float_file)
        return bytes(quantizer.quantize(ranges).quantized_model)


def _image_ranges(float_file):
    """Ranges of input and output that make their integers levels, whatever the photos hold."""
    interpreter = Interpreter(model_content=float_file)
    details = (*interpreter.get_input_details(), *interpreter.get_output_details())
    ends = {key: np.full((1, 1, 1, 1), n, np.float32) for key, n in (("min", -1), ("max", 1))}
    return {detail["name"]: ends for detail in details}


def load_quantizer():
    """The package's modules (quantizer, qtyping). Raises `InputError` if it is not installed."""
    modules = ("ai_edge_quantizer.quantizer", "ai_edge_quantizer.qtyping")
    return files.load(f"quantize: {' and '.join(INTEGER_BITS)}", "quantize", *modules)
