"""Conversion of a generator to a TFLite file in each quantisation mode."""

import contextlib
import io
import warnings

from animegan_tf.errors import InputError
from animegan_tf.networks import tflite
from animegan_tf.networks.tflite import SIGNATURE

INTEGER_BITS = {"int8": 8, "int16x8": 16}
MODES = ("none", "float16", "dynamic", *INTEGER_BITS)

# Operators that run in integers. The statistics of the norms and operators that use them stay in
# float32: 8 bits would cost 15 dB, and TFLite lacks 16-bit kernels for some of them.
_INTEGER_OPS = {
    "int8": ("CONV_2D", "DEPTHWISE_CONV_2D", "CONCATENATION", "SLICE"),
    "int16x8": ("CONV_2D", "DEPTHWISE_CONV_2D"),
}


def convert(model, mode, size=None, calibration=()):
    """The TFLite file (bytes) of `model`, a generator of `build_generator`.

    mode: one of `MODES`. "none" has float32 weights, "float16" half-precision weights, "dynamic"
    8-bit weights with activations quantised at run time, "int8" and "int16x8" 8-bit weights with 8-
    or 16-bit activations calibrated on `calibration`, an iterable of float32 (1, height, width, 3)
    in [-1, 1]. In all modes input and output are float32 "images" of the signature "stylize".
    size: (height, width), or None for any size.
    """
    float_file = tflite.convert(model, size, mode)
    if mode not in INTEGER_BITS:
        return float_file
    return _quantize(float_file, mode, calibration)


def _quantize(float_file, mode, calibration):
    quantization, qtyping = _import_quantizer()
    bits = INTEGER_BITS[mode]
    config = qtyping.OpQuantizationConfig(
        activation_tensor_config=qtyping.TensorQuantizationConfig(
            # 16-bit kernels have no zero point.
            num_bits=bits,
            symmetric=bits == 16,
            granularity=qtyping.QuantGranularity.TENSORWISE,
        ),
        weight_tensor_config=qtyping.TensorQuantizationConfig(
            num_bits=8, symmetric=True, granularity=qtyping.QuantGranularity.CHANNELWISE
        ),
        compute_precision=qtyping.ComputePrecision.INTEGER,
    )
    quantizer = quantization.Quantizer(bytearray(float_file))
    for name in _INTEGER_OPS[mode]:
        quantizer.update_quantization_recipe(
            regex=".*", operation_name=qtyping.TFLOperationName(name), op_config=config
        )
    # The library prints progress bars and warnings.
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        ranges = quantizer.calibrate({SIGNATURE: [{"images": photo} for photo in calibration]})
        return bytes(quantizer.quantize(ranges).quantized_model)


def check_quantizer():
    """Raise `InputError` if the package for the integer modes is not installed."""
    _import_quantizer()


def _import_quantizer():
    try:
        from ai_edge_quantizer import qtyping, quantizer
    except ImportError as error:
        raise InputError(
            f"quantize: {' and '.join(INTEGER_BITS)} need ai-edge-quantizer ({error}); "
            "pip install 'animegan_tf[quantize]'"
        ) from error
    return quantizer, qtyping
