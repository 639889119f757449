"""Core ML packages for iPhones, iPads and Macs: an image in, an image out.

Only macOS can run them. The graph that is converted is compared with the model, and the package
is read back.
"""

import contextlib
import io
import logging
import os
from pathlib import Path

import keras
import tensorflow as tf

import animegan_tf
from animegan_tf import storage
from animegan_tf.errors import InputError
from animegan_tf.export import check, files
from animegan_tf.networks.generator import properties, size_multiple
from animegan_tf.networks.portable import check_size, portable_generator
from animegan_tf.networks.tflite import with_constants

SUFFIX = ".mlpackage"
# The lowest acceptable PSNR in dB on any photo: one value in twenty may round differently.
BOUND = 60.0
_CHECK_PHOTOS = 10


def check_options(output, size=(256, 256), overwrite=False):
    """Raise `InputError` for what can be refused before a model is loaded."""
    path = Path(output)
    if path.suffix != SUFFIX:
        raise InputError(f"output: expected a name ending in {SUFFIX}, received {str(output)!r}")
    if path.exists() and not path.is_dir():
        raise InputError(f"output: expected a folder, {path} is a file")
    if path.exists() and not overwrite:
        raise InputError(f"output: {path} exists; choose another name or use --overwrite")
    if size is None:
        raise InputError("size: expected WIDTHxHEIGHT for coreml, received dynamic")
    _load_tools()


def _load_tools():
    logging.getLogger("coremltools").setLevel(logging.ERROR)  # that it cannot run models here
    (tools,) = files.load("format: coreml", "coreml", "coremltools")
    return tools


def export_coreml(
    model: keras.Model,
    output: str | os.PathLike,
    *,
    size: tuple[int, int] = (256, 256),
    photos: str | os.PathLike | None = None,
    name: str | None = None,
    author: str = "unknown",
    license_text: str = "unknown",
    overwrite: bool = False,
) -> dict:
    """Write `model` as the Core ML package `output` and a report beside it; returns the report.

    model: a generator of `build_generator`. output: a path ending in ".mlpackage", a folder.
    size: (height, width), multiples of 4 (lite: 8). photos: a folder of photos for the comparison;
        default: three photos of the project. name, author, license_text: for the metadata.

    The package, for iOS 16, macOS 13 or later, computes in float32; its input `photo` and its
    output `stylized` are RGB images of `size`. Raises `InputError` for invalid arguments or missing
    packages (extra `coreml`), `check.ExportError` if outputs of the converted graph differ from the
    model's.
    """
    check_options(output, size, overwrite)
    check_size(model, *size)
    path = Path(output)
    run = _with_levels(portable_generator(model, *size))
    figures = check.compare(*_outputs(run, model, size, photos), BOUND)
    package = _convert(run, size)
    package.short_description = "AnimeGAN generator: a photo to an anime-style image."
    package.author, package.license = author, license_text
    package.version = animegan_tf.__version__
    own = {**properties(model), "style": name or path.stem}
    package.user_defined_metadata.update({key: str(value).lower() for key, value in own.items()})
    with files.staging(path.parent) as folder:
        made = folder / path.name
        package.save(str(made))
        _read_back(made, size)
        report = {
            "folder": path.name,
            "bytes": sum(file.stat().st_size for file in made.rglob("*") if file.is_file()),
            "size": files.size_text(size),
            "run_by_core_ml": False,
            **figures,
        }
        if path.exists():
            path.rename(folder / "replaced")
        storage.move(made, path)
    files.write_report(files.report_path(output), report)
    return report


def _with_levels(portable):
    """A function from levels (1, H, W, 3) to levels (1, 3, H, W), float32, as images need."""
    run = with_constants(portable)

    def stylized(photo):
        levels = (run(photo / 127.5 - 1.0) + 1.0) * 127.5
        return tf.transpose(tf.clip_by_value(levels, 0.0, 255.0), (0, 3, 1, 2), name="stylized")

    spec = tf.TensorSpec(portable.inputs[0].shape, tf.float32, "photo")
    return tf.function(stylized, input_signature=[spec], autograph=False)


def _outputs(run, model, size, photos):
    """The outputs of `run` and of `model` for photos, both rounded to levels."""
    outputs, expected = [], []
    for photo in check.read_photos(photos, _CHECK_PHOTOS):
        levels = files.encoded(check.fit_network(photo, size, size_multiple(model)), "uint8")
        output = run(tf.cast(levels, tf.float32)).numpy().transpose(0, 2, 3, 1)
        outputs.append(files.decoded(output.round().astype("uint8"), "uint8"))
        made = check.expected(model, files.decoded(levels, "uint8"))
        expected.append(files.decoded(files.encoded(made, "uint8"), "uint8"))
    return outputs, expected


def _convert(run, size):
    tools = _load_tools()
    image = {"color_layout": tools.colorlayout.RGB}
    with contextlib.redirect_stderr(io.StringIO()):  # its progress, of seconds
        return tools.convert(
            [run.get_concrete_function()],
            source="tensorflow",
            convert_to="mlprogram",
            inputs=[tools.ImageType("photo", (1, *size, 3), channel_first=False, **image)],
            outputs=[tools.ImageType("stylized", **image)],
            minimum_deployment_target=tools.target.iOS16,
            compute_precision=tools.precision.FLOAT32,
        )


def _read_back(path, size):
    """Raise `ExportError` unless the package at `path` has images of `size` as input and output."""
    description = (
        _load_tools().models.MLModel(str(path), skip_model_load=True).get_spec().description
    )
    found = [
        (feature.name, feature.type.imageType.height, feature.type.imageType.width)
        for feature in (*description.input, *description.output)
    ]
    if found != [("photo", *size), ("stylized", *size)]:
        raise check.ExportError(f"the Core ML package has other inputs and outputs: {found}")
