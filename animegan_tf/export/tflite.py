"""TFLite (LiteRT) files for phones, with metadata, checked before they appear."""

import os
from pathlib import Path

import keras

import animegan_tf
from animegan_tf.errors import InputError
from animegan_tf.export import check, convert, files, metadata
from animegan_tf.networks.generator import properties, size_multiple
from animegan_tf.networks.portable import check_size
from animegan_tf.networks.tflite import FIRST_SIZE
from animegan_tf.validation import check_choice

SUFFIX = ".tflite"
# The lowest acceptable PSNR in dB on any photo.
BOUNDS = {"none": 70.0, "float16": 50.0, "dynamic": 38.0, "int8": 32.0, "int16x8": 32.0}

_CHECK_PHOTOS, _CALIBRATION_PHOTOS = 10, 64
# TFLite's 16-bit kernels are reference implementations: minutes per photo.
_FEW_PHOTOS = 3
_DYNAMIC_SIDE = 512


def check_options(output, quantize="none", calibration=None, overwrite=False, io="float32"):
    """Raise `InputError` for what can be refused before a model is loaded."""
    check_choice("quantize", quantize, convert.MODES)
    check_choice("io", io, convert.IO_TYPES)
    if io != "float32" and quantize != "int8":
        raise InputError(f"io: {io} requires --quantize=int8, received {quantize}")
    files.check_output(output, SUFFIX, overwrite)
    if quantize in convert.INTEGER_BITS:
        if calibration is None:
            raise InputError(
                f"calibration: expected a folder of photos for {quantize}, received none"
            )
        check.read_photos(calibration, 1, "calibration")
        convert.load_quantizer()
    elif calibration is not None:
        expected = " and ".join(convert.INTEGER_BITS)
        raise InputError(f"calibration: expected only with {expected}, received with {quantize}")


def export_tflite(
    model: keras.Model,
    output: str | os.PathLike,
    *,
    quantize: str = "none",
    size: tuple[int, int] | None = (256, 256),
    calibration: str | os.PathLike | None = None,
    io: str = "float32",
    photos: str | os.PathLike | None = None,
    name: str | None = None,
    author: str = "unknown",
    license_text: str = "unknown",
    overwrite: bool = False,
) -> dict:
    """Write `model` as the TFLite file `output` and a report beside it; returns the report.

    model: a generator of `build_generator`. output: a path ending in ".tflite"; the report has the
        same name with ".report.json".
    quantize: one of `convert.MODES`. size: (height, width), multiples of 4 (lite: 8), or None for
        any size.
    calibration: a folder of photos for the integer modes. io: type of input and output: "float32"
        RGB in [-1, 1]; for int8 also "uint8" levels or "int8", levels minus 128.
    photos: a folder of photos for the comparison; default: three photos of the project.
    name, author, license_text: for the file's metadata.

    The file has one signature, "stylize", with RGB "images" (1, H, W, 3) as input and output. It is
    run in a separate process and compared with `model` before it appears. Raises `InputError` for
    invalid arguments, `check.ExportError` if outputs differ from the model's.
    """
    check_options(output, quantize, calibration, overwrite, io)
    check_size(model, *(size or (None, None)))
    multiple = size_multiple(model)
    photos = check.read_photos(photos, _FEW_PHOTOS if quantize == "int16x8" else _CHECK_PHOTOS)
    batches = [check.fit_network(photo, size, multiple, _DYNAMIC_SIDE) for photo in photos]
    calibration_batches = []
    if calibration is not None:
        calibration_batches = [
            check.fit_network(photo, size or FIRST_SIZE, multiple)
            for photo in check.read_photos(calibration, _CALIBRATION_PHOTOS, "calibration")
        ]
    content = metadata.add(
        convert.convert(model, quantize, size, calibration_batches, io),
        name=name or Path(output).stem,
        description="AnimeGAN generator: a photo to an anime-style image of the same size.",
        version=animegan_tf.__version__,
        author=author,
        license_text=license_text,
        size=size,
        io=io,
        own={**properties(model), "quantize": quantize},
    )
    facts = {
        "quantize": quantize,
        "size": files.size_text(size),
        "calibration_photos": len(calibration_batches),
    }
    contents = {SUFFIX: content}
    return files.write(output, contents, model, batches, "tflite", BOUNDS[quantize], io=io, **facts)
