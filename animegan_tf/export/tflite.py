"""TFLite (LiteRT) files for phones: converted, checked, described, then moved into place."""

import json
import statistics
from pathlib import Path

import animegan_tf
from animegan_tf import storage
from animegan_tf.errors import InputError
from animegan_tf.export import check, convert, metadata
from animegan_tf.networks.generator import properties, size_multiple
from animegan_tf.networks.portable import check_size
from animegan_tf.networks.tflite import FIRST_SIZE, SIGNATURE
from animegan_tf.validation import check_choice

SUFFIX = ".tflite"
# The lowest PSNR in dB, on any photo, at which a mode is good enough to keep.
BOUNDS = {"none": 70.0, "float16": 50.0, "dynamic": 38.0, "int8": 32.0, "int16x8": 32.0}

_CHECK_PHOTOS, _CALIBRATION_PHOTOS = 10, 64
# What 16-bit kernels need: minutes a photo, being the reference ones.
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
        raise InputError(f"output: {path} exists; choose another name or overwrite")
    if quantize in convert.INTEGER_BITS:
        if calibration is None:
            raise InputError(
                f"calibration: expected a folder of photos for {quantize}, received none"
            )
        check.read_photos(calibration, 1, "calibration")
        convert.check_quantizer()
    elif calibration is not None:
        expected = " and ".join(convert.INTEGER_BITS)
        raise InputError(f"calibration: only {expected} use it, received it for {quantize}")


def parse_size(text):
    """ "256x256" (width x height) to (height, width), "dynamic" to None; `InputError` otherwise."""
    if text == "dynamic":
        return None
    width, times, height = text.partition("x")
    if not (times and width.isdecimal() and height.isdecimal()):
        raise InputError(f"size: expected WIDTHxHEIGHT or dynamic, received {text!r}")
    return int(height), int(width)


def export_tflite(
    model,
    output,
    *,
    quantize="none",
    size=(256, 256),
    calibration=None,
    photos=None,
    name=None,
    author="unknown",
    license_text="unknown",
    overwrite=False,
):
    """Write `model` as the TFLite file `output` and a report beside it; returns the report, a dict.

    model: a generator of `build_generator`. output: a path ending in ".tflite"; the report is
        `output` with ".report.json" in its place.
    quantize: one of `convert.MODES`. size: (height, width), or None for a file that takes any
        size, multiples of 4 (lite: 8).
    calibration: a folder of photos for the integer modes. photos: a folder of photos to measure
        on, default the three that come with the project.
    name, author, license_text: for the file's metadata.

    The file has one signature, "stylize", with float32 RGB "images" (1, H, W, 3) in [-1, 1] as
    input and output. It is run in a fresh process and compared with `model` before it appears.
    Raises `InputError` for mistakes in these, `check.ExportError` for a file that does not match.
    """
    check_options(output, quantize, calibration, overwrite)
    check_size(model, *(size or (None, None)))
    multiple, path = size_multiple(model), Path(output)
    shown = check.read_photos(photos, _FEW_PHOTOS if quantize == "int16x8" else _CHECK_PHOTOS)
    fitted = [check.fit_network(photo, size, multiple, _DYNAMIC_SIDE) for photo in shown]
    ranges = []
    if calibration is not None:
        used = size or FIRST_SIZE
        found = check.read_photos(calibration, _CALIBRATION_PHOTOS, "calibration")
        ranges = [check.fit_network(photo, used, multiple) for photo in found]
    made = metadata.add(
        convert.convert(model, quantize, size, ranges),
        name=name or path.stem,
        description="AnimeGAN generator: a photo to an anime-style picture of the same size.",
        version=animegan_tf.__version__,
        author=author,
        license_text=license_text,
        size=size,
        own={**properties(model), "quantize": quantize},
    )
    with storage.aside(path, SUFFIX) as temporary:
        temporary.write_bytes(made)
        answers, measured = check.run_alone("tflite", temporary, {SIGNATURE: fitted})
        expected = [model(photo, training=False).numpy() for photo in fitted]
        report = {
            "file": path.name,
            "bytes": len(made),
            "quantize": quantize,
            "size": "dynamic" if size is None else f"{size[1]}x{size[0]}",
            "calibration_photos": len(ranges),
            **check.compare(answers[SIGNATURE], expected, BOUNDS[quantize]),
            "median_seconds": statistics.median(measured.pop("seconds")[SIGNATURE]),
            **measured,
        }
        _refuse_foreign_operators(report["operators"])
    storage.write_text(report_path(path), json.dumps(report, indent=2) + "\n")
    return report


def report_path(output):
    """Where the report of the export `output` goes."""
    path = Path(output)
    return path.with_name(f"{path.name.removesuffix(SUFFIX)}.report.json")


def _refuse_foreign_operators(operators):
    foreign = [name for name in operators if name.startswith(("Flex", "CUSTOM"))]
    if foreign:
        raise check.ExportError(f"export: it needs operators that phones lack: {foreign}")
