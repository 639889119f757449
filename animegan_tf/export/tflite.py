"""TFLite (LiteRT) files for phones, with metadata, checked before they appear."""

import json
import os
import statistics
from pathlib import Path

import keras

import animegan_tf
from animegan_tf import storage
from animegan_tf.errors import InputError
from animegan_tf.export import check, convert, metadata
from animegan_tf.networks.generator import properties, size_multiple
from animegan_tf.networks.portable import check_size
from animegan_tf.networks.tflite import FIRST_SIZE, SIGNATURE
from animegan_tf.validation import check_choice

SUFFIX = ".tflite"
# The lowest acceptable PSNR in dB on any photo.
BOUNDS = {"none": 70.0, "float16": 50.0, "dynamic": 38.0, "int8": 32.0, "int16x8": 32.0}

_CHECK_PHOTOS, _CALIBRATION_PHOTOS = 10, 64
# TFLite's 16-bit kernels are reference implementations: minutes per photo.
_FEW_PHOTOS = 3
_DYNAMIC_SIDE = 512


def check_options(output, quantize="none", calibration=None, overwrite=False):
    """Raise `InputError` for what can be refused before a model is loaded."""
    check_choice("quantize", quantize, convert.MODES)
    path = Path(output)
    if path.suffix != SUFFIX:
        raise InputError(
            f"output: expected a file name ending in {SUFFIX}, received {str(output)!r}"
        )
    if path.is_dir():
        raise InputError(f"output: expected a file, {path} is a folder")
    if path.exists() and not overwrite:
        raise InputError(f"output: {path} exists; choose another name or use --overwrite")
    if quantize in convert.INTEGER_BITS:
        if calibration is None:
            raise InputError(
                f"calibration: expected a folder of photos for {quantize}, received none"
            )
        check.read_photos(calibration, 1, "calibration")
        convert.check_quantizer()
    elif calibration is not None:
        expected = " and ".join(convert.INTEGER_BITS)
        raise InputError(f"calibration: expected only with {expected}, received with {quantize}")


def parse_size(text: str) -> tuple[int, int] | None:
    """Parse "WIDTHxHEIGHT" to (height, width), "dynamic" to None; raises `InputError`."""
    if text == "dynamic":
        return None
    width, times, height = text.partition("x")
    if not (times and width.isdecimal() and height.isdecimal()):
        raise InputError(f"size: expected WIDTHxHEIGHT or dynamic, received {text!r}")
    return int(height), int(width)


def export_tflite(
    model: keras.Model,
    output: str | os.PathLike,
    *,
    quantize: str = "none",
    size: tuple[int, int] | None = (256, 256),
    calibration: str | os.PathLike | None = None,
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
    calibration: a folder of photos for the integer modes. photos: a folder of photos for the
        comparison; default: three photos of the project.
    name, author, license_text: for the file's metadata.

    The file has one signature, "stylize", with float32 RGB "images" (1, H, W, 3) in [-1, 1] as
    input and output. It is run in a separate process and compared with `model` before it appears.
    Raises `InputError` for invalid arguments, `check.ExportError` if outputs differ from the
    model's.
    """
    check_options(output, quantize, calibration, overwrite)
    check_size(model, *(size or (None, None)))
    multiple, path = size_multiple(model), Path(output)
    photos = check.read_photos(photos, _FEW_PHOTOS if quantize == "int16x8" else _CHECK_PHOTOS)
    inputs = [check.fit_network(photo, size, multiple, _DYNAMIC_SIDE) for photo in photos]
    calibration_inputs = []
    if calibration is not None:
        calibration_inputs = [
            check.fit_network(photo, size or FIRST_SIZE, multiple)
            for photo in check.read_photos(calibration, _CALIBRATION_PHOTOS, "calibration")
        ]
    file = metadata.add(
        convert.convert(model, quantize, size, calibration_inputs),
        name=name or path.stem,
        description="AnimeGAN generator: a photo to an anime-style image of the same size.",
        version=animegan_tf.__version__,
        author=author,
        license_text=license_text,
        size=size,
        own={**properties(model), "quantize": quantize},
    )
    storage.sweep(path.parent)
    with storage.aside(path, SUFFIX) as temporary:
        temporary.write_bytes(file)
        outputs, measured = check.run_alone("tflite", temporary, {SIGNATURE: inputs})
        expected = [model(batch, training=False).numpy() for batch in inputs]
        report = {
            "file": path.name,
            "bytes": len(file),
            "quantize": quantize,
            "size": "dynamic" if size is None else f"{size[1]}x{size[0]}",
            "calibration_photos": len(calibration_inputs),
            **check.compare(outputs[SIGNATURE], expected, BOUNDS[quantize]),
            "median_seconds": statistics.median(measured.pop("seconds")[SIGNATURE]),
            **measured,
        }
        _refuse_custom_operators(report["operators"])
    storage.write_text(report_path(path), json.dumps(report, indent=2) + "\n")
    return report


def report_path(output):
    """The path of the report of the export `output`."""
    path = Path(output)
    return path.with_name(f"{path.name.removesuffix(SUFFIX)}.report.json")


def _refuse_custom_operators(operators):
    custom = [name for name in operators if name.startswith(("Flex", "CUSTOM"))]
    if custom:
        raise check.ExportError(f"export: it needs operators that phones lack: {custom}")
