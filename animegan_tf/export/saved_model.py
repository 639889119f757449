"""SavedModels for TF Serving: NAME/1, NAME/2, ..., checked before they appear."""

import errno
import json
import os
import statistics
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf

from animegan_tf import images, storage
from animegan_tf.errors import InputError
from animegan_tf.export import check, files, serving_files
from animegan_tf.export.serving_graph import ServedGenerator
from animegan_tf.networks import saved_model, tf1
from animegan_tf.networks.generator import generator_arch, properties, size_multiple
from animegan_tf.recipes import TRAINED_SIDE
from animegan_tf.stylize.engines.saved_model import SAVED_MODEL_PROPERTIES
from animegan_tf.stylize.stylizer import Stylizer
from animegan_tf.validation import check_choice, check_number, check_whole

INPUT_TYPES = {"uint8": np.uint8, "float32": np.float32}
ENCODINGS = ("png", "jpeg")

# Lowest PSNR in dB. The operators are the same, so `raw` differs by rounding only. With 8 bits, one
# value in twenty may round differently (61 dB). JPEG is compared with OpenCV's encoder.
_RAW_BOUND, _LEVELS_BOUND, _JPEG_BOUND = 90.0, 60.0, 35.0
_PHOTOS, _CHECK_SIDE = 10, 512


def check_options(output, *, version=None, input_type="uint8", encoding="png", max_megapixels=4.0):
    """Raise `InputError` for invalid options, before a model is loaded."""
    path = Path(output)
    if not path.name or path.name.isdecimal():
        raise InputError(
            f"output: expected a folder named like the model, received {str(output)!r}; versions "
            "are numbered folders in it"
        )
    if path.exists() and not path.is_dir():
        raise InputError(f"output: expected a folder, {path} is a file")
    if version is not None:
        check_whole("version", version, 1)
        if (folder := path / str(version)).exists():
            raise InputError(f"version: expected a new one, {folder} exists")
    check_choice("input_type", input_type, INPUT_TYPES)
    check_choice("encoding", encoding, ENCODINGS)
    check_number("max_megapixels", max_megapixels, 0.1, 1000)


def export_saved_model(
    model: keras.Model,
    output: str | os.PathLike,
    *,
    version: int | None = None,
    frozen: bool = True,
    input_type: str = "uint8",
    encoding: str = "png",
    match_brightness: bool = False,
    max_megapixels: float = 4.0,
    warmup: bool | None = None,
    photos: str | os.PathLike | None = None,
) -> dict:
    """Write `model` as a SavedModel into the folder `output`; returns the report.

    model: a generator of `build_generator`. output: a folder with the name of the served model. The
        SavedModel is its subfolder `version` (default: the next free number); the report is
        VERSION.report.json beside it.
    frozen: store weights as constants of the graph instead of variables in separate files.
    input_type: type of `images` (N, H, W, 3) in the signature serving_default: "uint8", or
        "float32" in [0, 1]. The output is uint8 `images` of the same size.
    encoding: output format of the signature image_bytes, "png" or "jpeg".
    match_brightness: the published brightness rule in serving_default and image_bytes.
    max_megapixels: the server refuses larger images with a message.
    warmup: write warm-up requests, for which tensorflow-serving-api is needed; None: if installed.
    photos: a folder of photos for the comparison; default: three photos of the project.

    Each signature is run in a separate process and compared before the folder appears. Raises
    `InputError` for invalid arguments, `check.ExportError` if outputs differ from the model's.
    """
    check_options(
        output,
        version=version,
        input_type=input_type,
        encoding=encoding,
        max_megapixels=max_megapixels,
    )
    served = {
        "input_type": input_type,
        "encoding": encoding,
        "match_brightness": match_brightness,
        "max_megapixels": max_megapixels,
        "warm_up": _writes_warm_up(warmup),
    }
    photos = check.read_photos(photos, _PHOTOS)
    path = Path(output)
    with files.staging(path) as temporary:
        _write(temporary, model, frozen, served, path.name)
        report = {
            "arch": generator_arch(model),
            "frozen": frozen,
            **served,
            "bytes": sum(file.stat().st_size for file in temporary.rglob("*") if file.is_file()),
            **_check(temporary, model, photos, input_type, encoding, match_brightness),
        }
        folder = _put(temporary, path, version)
    serving_files.write_configurations(path, path.name)
    report = {"folder": folder, **report}
    files.write_report(path / f"{folder}.report.json", report)
    return report


def _put(temporary, path, version):
    """Move an export to its number in the folder `path`, the next without one; returns its name."""
    while True:
        folder = str(version or _next_version(path))
        try:
            storage.move(temporary, path / folder)
        except OSError as error:
            # Another export was there first.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            if version is not None:
                raise InputError(f"version: {path / folder} exists by now") from error
        else:
            return folder


def _write(folder, model, frozen, served, name):
    """Save `model` into `folder` with the options `served`."""
    run, weights = _network(model, frozen)
    module = ServedGenerator(
        run,
        weights,
        size_multiple(model),
        max_pixels=round(served["max_megapixels"] * 1e6),
        encoding=served["encoding"],
        match_brightness=served["match_brightness"],
    )
    _save(module, folder, served["input_type"])
    storage.write_text(folder / SAVED_MODEL_PROPERTIES, json.dumps(properties(model)) + "\n")
    if served["warm_up"]:
        serving_files.write_warm_up(folder, name, INPUT_TYPES[served["input_type"]])


def _writes_warm_up(warmup):
    if warmup is False:
        return False
    try:
        serving_files.serving_protos()
    except InputError:
        if warmup:
            raise
        return False
    return True


def _next_version(path):
    return max((int(p.name) for p in path.iterdir() if p.name.isdecimal()), default=0) + 1


def _network(model, frozen):
    """A function of a batch, and the `tf.Variable`s that it uses (none if frozen)."""
    values = [variable.numpy() for variable in model.trainable_variables]
    if frozen:
        weights = [tf.constant(value) for value in values]
    else:
        names = {variable.path: name for name, variable in tf1.variables(model).items()}
        weights = [
            tf.Variable(value, name=names[variable.path])
            for value, variable in zip(values, model.trainable_variables, strict=True)
        ]

    def run(batch):
        current = [tf.convert_to_tensor(weight) for weight in weights]
        return model.stateless_call(current, [], batch)[0]

    return run, [] if frozen else weights


def _save(module, folder, input_type):
    """`tf.saved_model.save` with the three signatures."""

    def spec(dtype):
        return tf.TensorSpec([None, None, None, 3], dtype, "images")

    encoded = tf.TensorSpec([None], tf.string, "image_bytes")
    default = module.from_uint8 if input_type == "uint8" else module.from_float
    signatures = {
        "serving_default": _signature(default, spec(input_type)),
        "image_bytes": _signature(module.from_bytes, encoded),
        # tf2onnx confuses an output with an input of the same name.
        "raw": _signature(module.raw, spec("float32"), "stylized"),
    }
    # Only the signatures and their variables: no custom layers, no training code.
    served = tf.Module()
    served.weights = module.weights
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    saved_model.save(served, folder, signatures, options)


def _signature(function, spec, output=None):
    """A graph function with one input, named as `spec`, and one output, named so by default."""
    name = output or spec.name
    return tf.function(
        lambda tensor: {name: function(tensor)}, input_signature=[spec], autograph=False
    ).get_concrete_function()


# --- the check -----------------------------------------------------------------------------------


def _check(folder, model, photos, input_type, encoding, match_brightness):
    """Run each signature in a separate process; returns the results or raises `ExportError`."""
    photos = [_for_check(photo) for photo in photos]
    stylizer = Stylizer(model, match_brightness=match_brightness, draw_side=0)
    levels = [images.to_network(stylizer(photo))[None] for photo in photos]
    batches = [photo[None] for photo in photos]
    floats = [(batch / 255).astype(np.float32) for batch in batches]
    raw = [images.to_network(batch) for batch in batches]
    plans = {
        "serving_default": (batches if input_type == "uint8" else floats, levels, _LEVELS_BOUND),
        "image_bytes": (
            [_encode(photo, ".png") for photo in photos],
            levels if encoding == "png" else [_through_jpeg(image) for image in levels],
            _LEVELS_BOUND if encoding == "png" else _JPEG_BOUND,
        ),
        "raw": (raw, [check.expected(model, batch) for batch in raw], _RAW_BOUND),
    }
    outputs, measured = check.run_alone(
        "saved_model", folder, {signature: inputs for signature, (inputs, _, _) in plans.items()}
    )
    figures = {}
    for signature, (_, expected, bound) in plans.items():
        figures[signature] = {
            **check.compare([_as_floats(o) for o in outputs[signature]], expected, bound),
            "median_seconds": statistics.median(measured["seconds"][signature]),
        }
    return {"signatures": figures, "peak_megabytes": measured["peak_megabytes"]}


def _encode(rgb, suffix):
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix == ".jpg" else []
    return cv2.imencode(suffix, rgb[..., ::-1], options)[1].ravel()


def _through_jpeg(batch):
    return _as_floats(_encode(images.to_uint8(batch[0]), ".jpg"))


def _as_floats(output):
    """An output (encoded, uint8 or float32) as float32 (1, H, W, 3) in [-1, 1]."""
    if output.ndim == 1:
        output = cv2.imdecode(output, cv2.IMREAD_COLOR)[None, ..., ::-1]
    return images.to_network(output) if output.dtype == np.uint8 else output


def _for_check(photo):
    """Limit the size of a photo, and enlarge small ones: resizing is not part of the comparison."""
    photo = images.limit_side(photo, _CHECK_SIDE)
    sides = images.enlarged_size(*photo.shape[:2], TRAINED_SIDE, _CHECK_SIDE**2)
    return np.ascontiguousarray(images.resize(photo, *sides))
