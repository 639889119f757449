"""What all exports share: a temporary name until the comparison has passed, sizes, types, packages.

An export to a file calls `check_output` first and then `write`.
"""

import contextlib
import importlib
import json
import statistics
from pathlib import Path

import numpy as np

from animegan_tf import images, storage
from animegan_tf.errors import InputError
from animegan_tf.export import check
from animegan_tf.networks.tflite import SIGNATURE


def load(argument, extra, *modules, hint=""):
    """Import the packages of an extra of setup.py; returns the modules.

    Raises `InputError` for `argument`, a text, if one of them cannot be imported.
    """
    try:
        return [importlib.import_module(module) for module in modules]
    except ImportError as error:
        raise InputError(
            f"{argument} needs packages that are not installed ({error}); "
            f"pip install 'animegan_tf[{extra}]'{hint}"
        ) from error


def check_output(output, suffix, overwrite):
    """Raise `InputError` unless `output` is a new file name ending in `suffix`."""
    path = Path(output)
    if path.suffix != suffix:
        raise InputError(
            f"output: expected a file name ending in {suffix}, received {str(output)!r}"
        )
    if path.is_dir():
        raise InputError(f"output: expected a file, {path} is a folder")
    if path.exists() and not overwrite:
        raise InputError(f"output: {path} exists; choose another name or use --overwrite")


def parse_size(text: str) -> tuple[int, int] | None:
    """Parse "WIDTHxHEIGHT" to (height, width), "dynamic" to None; raises `InputError`."""
    if text == "dynamic":
        return None
    width, times, height = text.partition("x")
    if not (times and width.isdecimal() and height.isdecimal()):
        raise InputError(f"size: expected WIDTHxHEIGHT or dynamic, received {text!r}")
    return int(height), int(width)


def size_text(size):
    """The inverse of `parse_size`."""
    return "dynamic" if size is None else f"{size[1]}x{size[0]}"


def report_path(output):
    """The path of the report of the export `output`, a file."""
    return Path(output).with_suffix(".report.json")


def write_report(path, report):
    """Write `report`, a dict, to `path` as JSON."""
    storage.write_text(path, json.dumps(report, indent=2) + "\n")


@contextlib.contextmanager
def staging(parent):
    """Yield a temporary folder in the folder `parent`, which is created if missing.

    What killed exports left in `parent` is removed first. A new `parent` that is still empty at the
    end is removed too.
    """
    parent = Path(parent)
    new = not parent.exists()
    parent.mkdir(parents=True, exist_ok=True)
    storage.sweep(parent)
    try:
        with storage.temporary_folder(parent) as folder:
            yield folder
    finally:
        if new and not any(parent.iterdir()):
            parent.rmdir()


def write(output, contents, model, batches, kind, bound, *, io="float32", layout="nhwc", **facts):
    """Write an export to the file `output` after comparing it with `model`; returns the report.

    contents: {suffix: bytes} of its files, that of `output` last; they differ in the suffix only.
    batches: float32 RGB in [-1, 1], (1, H, W, 3). kind: as in `check.run_alone`. bound: the lowest
    acceptable PSNR in dB. io, layout: of the input and output, as in `encoded`. facts: entries of
    the report, which is written beside the export.

    Raises `check.ExportError` if outputs differ from those of the model; nothing is written then.
    """
    path = Path(output)
    with staging(path.parent) as folder:
        for suffix, content in contents.items():
            write_bytes(folder / f"model{suffix}", content, path)
        report = {
            "file": path.name,
            "bytes": sum(len(content) for content in contents.values()),
            **facts,
            "io": io,
            "layout": layout,
            **compared(folder / f"model{path.suffix}", model, batches, kind, bound, io, layout),
        }
        for suffix in contents:
            storage.move(folder / f"model{suffix}", path.with_suffix(suffix))
    write_report(report_path(path), report)
    return report


def compared(path, model, batches, kind, bound, io="float32", layout="nhwc"):
    """Run the export `path` alone and compare it with `model`; returns the figures.

    The arguments and the error are those of `write`.
    """
    inputs = [encoded(batch, io, layout) for batch in batches]
    outputs, measured = check.run_alone(kind, path, {SIGNATURE: inputs})
    outputs = [decoded(array, io, layout) for array in outputs[SIGNATURE]]
    expected = [check.expected(model, decoded(array, io, layout)) for array in inputs]
    expected = [decoded(encoded(batch, io), io) for batch in expected]  # rounded to levels
    return {
        **check.compare(outputs, expected, bound),
        "median_seconds": statistics.median(measured.pop("seconds")[SIGNATURE]),
        **measured,
    }


def write_bytes(path, content, output):
    """Write a temporary file of the export `output`, whose name errors of the disk have."""
    try:
        path.write_bytes(content)
    except OSError as error:
        error.filename = str(output)  # a full disk has no name, and this one is temporary
        raise


def encoded(batch, io, layout="nhwc"):
    """A float32 batch (N, H, W, 3) in [-1, 1] as an input of the type `io`.

    "float32": unchanged; "uint8": levels 0 to 255; "int8": levels minus 128. With `layout` "nchw"
    the result is (N, 3, H, W).
    """
    if io != "float32":
        batch = images.to_uint8(batch)
    if io == "int8":
        batch = (batch ^ 0x80).view(np.int8)
    return np.ascontiguousarray(batch.transpose(0, 3, 1, 2)) if layout == "nchw" else batch


def decoded(array, io, layout="nhwc"):
    """The inverse of `encoded`. Raises `check.ExportError` for an array of another type."""
    if array.dtype != io:
        raise check.ExportError(f"export: expected {io} outputs, received {array.dtype}")
    if layout == "nchw":
        array = array.transpose(0, 2, 3, 1)
    if io == "int8":
        array = array.view(np.uint8) ^ 0x80
    return array if io == "float32" else images.to_network(array)
