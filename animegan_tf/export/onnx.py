"""ONNX models and OpenVINO IR files for any size, checked before they appear."""

import os
import tempfile
from pathlib import Path

import keras

import animegan_tf
from animegan_tf.export import check, files
from animegan_tf.networks.generator import properties
from animegan_tf.networks.portable import check_size
from animegan_tf.validation import check_choice

SUFFIXES = {"onnx": ".onnx", "openvino": ".xml"}
IO_TYPES = ("float32", "uint8")
LAYOUTS = ("nhwc", "nchw")

# The lowest acceptable PSNR in dB on any photo. With 8 bits, one value in twenty may round
# differently.
BOUNDS = {"float32": 90.0, "uint8": 60.0}
_PACKAGES = {"onnx": ("onnx", "onnxruntime"), "openvino": ("onnx", "openvino")}
_CHECK_PHOTOS, _ANY_SIDE = 10, 509


def check_options(output, kind="onnx", io="float32", layout="nhwc", overwrite=False):
    """Raise `InputError` for what can be refused before a model is loaded."""
    check_choice("io", io, IO_TYPES)
    check_choice("layout", layout, LAYOUTS)
    files.check_output(output, SUFFIXES[kind], overwrite)
    files.load(f"format: {kind}", kind, *_PACKAGES[kind])


def export_onnx(
    model: keras.Model,
    output: str | os.PathLike,
    *,
    size: tuple[int, int] | None = None,
    io: str = "float32",
    layout: str = "nhwc",
    photos: str | os.PathLike | None = None,
    name: str | None = None,
    author: str = "unknown",
    license_text: str = "unknown",
    overwrite: bool = False,
) -> dict:
    """Write `model` as the ONNX file `output` and a report beside it; returns the report.

    model: a generator of `build_generator`. output: a path ending in ".onnx".
    size: (height, width), multiples of 4 (lite: 8), for one image; None: any size of at least 16
        pixels a side and any batch, padded and cropped in the graph.
    io: type of the input "images" and the output "stylized": "float32" RGB in [-1, 1], or "uint8"
        levels. layout: "nhwc" for (N, H, W, 3), "nchw" for (N, 3, H, W).
    photos: a folder of photos for the comparison; default: three photos of the project.
    name, author, license_text: for the metadata properties `style`, `author` and `license`, beside
        `arch`, `multiple`, `norm` and `match_brightness`.

    The file is run by ONNX Runtime in a separate process and compared with `model` before it
    appears. Raises `InputError` for invalid arguments or missing packages (extra `onnx`),
    `check.ExportError` if outputs differ from the model's.
    """
    labels = {"name": name, "author": author, "license_text": license_text}
    return _export("onnx", model, output, size, io, layout, photos, labels, overwrite)


def export_openvino(
    model: keras.Model,
    output: str | os.PathLike,
    *,
    size: tuple[int, int] | None = None,
    io: str = "float32",
    layout: str = "nhwc",
    photos: str | os.PathLike | None = None,
    name: str | None = None,
    author: str = "unknown",
    license_text: str = "unknown",
    overwrite: bool = False,
) -> dict:
    """Write `model` as OpenVINO IR: `output`, a path ending in ".xml", and a ".bin" beside it.

    The arguments and errors are those of `export_onnx`, from whose model it is converted; the extra
    is `openvino`. OpenVINO Runtime computes the comparison in float32.
    """
    labels = {"name": name, "author": author, "license_text": license_text}
    return _export("openvino", model, output, size, io, layout, photos, labels, overwrite)


def _export(kind, model, output, size, io, layout, photos, labels, overwrite):
    check_options(output, kind, io, layout, overwrite)
    labels["name"] = labels["name"] or Path(output).stem
    made = content(model, size, io, layout, **labels)
    contents = {".onnx": made} if kind == "onnx" else _to_openvino(made)
    batches = check_batches(photos, size)
    facts = {"io": io, "layout": layout, "size": files.size_text(size)}
    return files.write(output, contents, model, batches, kind, BOUNDS[io], **facts)


def content(model, size=None, io="float32", layout="nhwc", *, name, author, license_text):
    """The bytes of the ONNX file; the arguments are those of `export_onnx`."""
    from animegan_tf.export import onnx_graph

    check_size(model, *(size or (None, None)))
    own = {key: str(value).lower() for key, value in properties(model).items()}
    own |= {"style": name, "author": author, "license": license_text}
    own |= {"version": animegan_tf.__version__}
    return onnx_graph.build(model, size, io, layout, own).SerializeToString()


def check_batches(photos, size=None):
    """The inputs of the comparison, float32 (1, H, W, 3), from a folder of photos."""
    return [
        check.fit_network(photo, size, 1, _ANY_SIDE)
        for photo in check.read_photos(photos, _CHECK_PHOTOS)
    ]


def _to_openvino(content):
    """The IR files of an ONNX model (bytes), {suffix: bytes}; its properties are kept."""
    import openvino

    converted = openvino.Core().read_model(model=content)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.xml")
        openvino.serialize(converted, path)
        return {suffix: path.with_suffix(suffix).read_bytes() for suffix in (".bin", ".xml")}
