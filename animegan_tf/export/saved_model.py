"""SavedModels for TF Serving: NAME/1, NAME/2, ..., each checked before it appears."""

import errno
import json
import shutil
import statistics
import uuid
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from animegan_tf import images, storage
from animegan_tf.errors import InputError
from animegan_tf.export import check, serving_files
from animegan_tf.export.serving_graph import ServedGenerator
from animegan_tf.networks import tf1
from animegan_tf.networks.generator import generator_arch, properties, size_multiple
from animegan_tf.stylize.engines.saved_model import SAVED_MODEL_PROPERTIES
from animegan_tf.stylize.stylizer import Stylizer

INPUT_TYPES = {"uint8": np.uint8, "float32": np.float32}
ENCODINGS = ("png", "jpeg")

# Lowest PSNR in dB. The same operators run, so `raw` differs by rounding alone; in levels of 8 bits
# one value in twenty may round to the other side (61 dB). JPEG is compared with OpenCV's.
_RAW_BOUND, _LEVELS_BOUND, _JPEG_BOUND = 90.0, 60.0, 35.0
_PHOTOS, _CHECK_SIDE = 10, 512


def check_options(output, *, version=None, input_type="uint8", encoding="png", max_megapixels=4.0):
    """Raise `InputError` for what can be refused before a model is loaded."""
    path = Path(output)
    if not path.name or path.name.isdecimal():
        raise InputError(
            f"output: expected a folder named like the model, received {str(output)!r}; versions "
            "are the numbered folders in it"
        )
    if path.exists() and not path.is_dir():
        raise InputError(f"output: expected a folder, {path} is a file")
    if version is not None and version < 1:
        raise InputError(f"version: expected a whole number of at least 1, received {version}")
    if version is not None and (path / str(version)).exists():
        raise InputError(f"version: {path / str(version)} exists, and versions are not replaced")
    for key, value, known in (
        ("input_type", input_type, INPUT_TYPES),
        ("encoding", encoding, ENCODINGS),
    ):
        if value not in known:
            raise InputError(f"{key}: expected one of {', '.join(known)}, received {value!r}")
    if not 0.1 <= max_megapixels <= 1000:
        raise InputError(f"max_megapixels: expected 0.1 to 1000, received {max_megapixels}")


def export_saved_model(
    model,
    output,
    *,
    version=None,
    frozen=True,
    input_type="uint8",
    encoding="png",
    match_brightness=False,
    max_megapixels=4.0,
    warmup=None,
    photos=None,
):
    """Write `model` as a SavedModel into the folder `output`; returns the report, a dict.

    model: a generator of `build_generator`. output: a folder named like the served model; the
        SavedModel goes into the subfolder `version` of it, default the next free number, and the
        report beside that as VERSION.report.json.
    frozen: weights as constants of the graph, rather than as variables in files of their own.
    input_type: what the signature serving_default takes as `images`, (N, H, W, 3): "uint8", or
        "float32" in [0, 1]; it answers with uint8 `images` of the same size either way.
    encoding: what image_bytes answers with, "png" or "jpeg".
    match_brightness: the published brightness rule in serving_default and image_bytes.
    max_megapixels: larger pictures are refused by the server with a message.
    warmup: write warm-up requests, which need tensorflow-serving-api; None for if installed.
    photos: a folder of photos to check on, default the three that come with the project.

    Each signature is run in a fresh process and compared before the folder appears. Raises
    `InputError` for mistakes in these, `check.ExportError` for an export that does not match.
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
        "warm_up": _warm_up_wanted(warmup),
    }
    shown = check.read_photos(photos, _PHOTOS)
    path = Path(output)
    new = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    made = path / f".{uuid.uuid4().hex}.tmp"
    try:
        _make(made, model, frozen, served, path.name)
        report = {
            "arch": generator_arch(model),
            "frozen": frozen,
            **served,
            "bytes": sum(file.stat().st_size for file in made.rglob("*") if file.is_file()),
            **_check(made, model, shown, input_type, encoding, match_brightness),
        }
        folder = _put(made, path, version)
    finally:
        shutil.rmtree(made, ignore_errors=True)
        if new and not any(path.iterdir()):
            path.rmdir()
    serving_files.write_configurations(path, path.name)
    report = {"folder": folder, **report}
    storage.write_text(path / f"{folder}.report.json", json.dumps(report, indent=2) + "\n")
    return report


def _put(made, path, version):
    """Move an export to its number in the folder `path`, the next without one; returns its name."""
    while True:
        folder = str(version or _next_version(path))
        try:
            storage.move(made, path / folder)
        except OSError as error:
            # Another export was there first.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            if version is not None:
                raise InputError(f"version: {path / folder} exists by now") from error
        else:
            return folder


def _make(folder, model, frozen, served, name):
    """Save `model` into `folder` with the options `served`, not checked yet."""
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


def _warm_up_wanted(warmup):
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
    """A function of a batch, and the `tf.Variable`s that it uses: none if they are constants."""
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

    def pictures(kind):
        return tf.TensorSpec([None, None, None, 3], kind, "images")

    encoded = tf.TensorSpec([None], tf.string, "image_bytes")
    default = module.from_uint8 if input_type == "uint8" else module.from_float
    signatures = {
        "serving_default": _signature(default, pictures(input_type)),
        "image_bytes": _signature(module.from_bytes, encoded),
        "raw": _signature(module.raw, pictures("float32")),
    }
    # Nothing but the signatures and their variables: no layer of ours, no training code.
    served = tf.Module()
    served.weights = module.weights
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(served, str(folder), signatures=signatures, options=options)


def _signature(function, spec):
    """A graph function from and to one tensor of the name of `spec`."""
    return tf.function(
        lambda given: {spec.name: function(given)}, input_signature=[spec], autograph=False
    ).get_concrete_function()


# --- the check -----------------------------------------------------------------------------------


def _check(folder, model, photos, input_type, encoding, match_brightness):
    """Run each signature in a fresh process; a dict of figures, or `check.ExportError`."""
    photos = [_for_check(photo) for photo in photos]
    stylizer = Stylizer(model, match_brightness=match_brightness, draw_side=0)
    levels = [images.to_network(stylizer(photo))[None] for photo in photos]
    batches = [photo[None] for photo in photos]
    floats = [(batch / 255).astype(np.float32) for batch in batches]
    plans = {
        "serving_default": (batches if input_type == "uint8" else floats, levels, _LEVELS_BOUND),
        "image_bytes": (
            [_encode(photo, ".png") for photo in photos],
            levels if encoding == "png" else [_through_jpeg(answer) for answer in levels],
            _LEVELS_BOUND if encoding == "png" else _JPEG_BOUND,
        ),
        "raw": (
            [images.to_network(batch) for batch in batches],
            [_expected_raw(model, photo) for photo in photos],
            _RAW_BOUND,
        ),
    }
    answers, measured = check.run_alone(
        "saved_model", folder, {signature: sent for signature, (sent, _, _) in plans.items()}
    )
    figures = {}
    for signature, (_, expected, bound) in plans.items():
        pictures = [_as_floats(answer) for answer in answers[signature]]
        figures[signature] = {
            **check.compare(pictures, expected, bound),
            "median_seconds": statistics.median(measured["seconds"][signature]),
        }
    return {"signatures": figures, "peak_megabytes": measured["peak_megabytes"]}


def _encode(rgb, suffix):
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix == ".jpg" else []
    return cv2.imencode(suffix, rgb[..., ::-1], options)[1].ravel()


def _through_jpeg(answer):
    return _as_floats(_encode(images.to_uint8(answer[0]), ".jpg"))


def _as_floats(answer):
    """An answer as float32 (1, H, W, 3) in [-1, 1]: it may be encoded, or in levels."""
    if answer.ndim == 1:
        answer = cv2.imdecode(answer, cv2.IMREAD_COLOR)[None, ..., ::-1]
    return images.to_network(answer) if answer.dtype == np.uint8 else answer


def _for_check(photo):
    """Not too large for a check, nor so small that two ways of enlarging it would be compared."""
    photo = images.limit_side(photo, _CHECK_SIDE)
    sides = images.enlarged_size(*photo.shape[:2], check.TRAINED_SIDE, _CHECK_SIDE**2)
    return np.ascontiguousarray(images.resize(photo, *sides))


def _expected_raw(model, photo):
    height, width = photo.shape[:2]
    padded = images.pad_to_multiple(photo, size_multiple(model))
    result = model(images.to_network(padded)[None], training=False).numpy()
    return result[:, :height, :width]
