"""Comparison of an export, run in a separate process, with the Keras model."""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from animegan_tf import images, memory
from animegan_tf.errors import InputError
from animegan_tf.networks.generator import size_multiple

_ALONE = Path(__file__).with_name("isolated.py")
_SAMPLE_PHOTOS = Path(__file__).with_name("photos")
_LEVELS = 255.0
# Far more than any export has taken, for one that hangs.
_TIMEOUT_SECONDS = 3600.0


class ExportError(InputError):
    """An export whose outputs differ from those of its model; it is deleted."""


def read_photos(folder, limit, name="photos"):
    """Up to `limit` photos of `folder` in the order of their names, uint8 RGB.

    `folder` None is the project's own small photos. Raises `InputError` with the argument's `name`
    for a missing or empty folder.
    """
    root = _SAMPLE_PHOTOS if folder is None else Path(folder)
    if not root.is_dir():
        raise InputError(f"{name}: expected a folder of photos, received {str(folder)!r}")
    paths = sorted(
        path
        for path in root.iterdir()
        if path.suffix.lower() in images.PHOTO_SUFFIXES and not path.name.startswith(".")
    )
    if not paths:
        raise InputError(f"{name}: expected photos in {root}, found none")
    return [images.read_photo(path).rgb for path in paths[:limit]]


def fit_network(photo, size, multiple, max_side=None):
    """A photo as float32 (1, H, W, 3) in [-1, 1].

    It is scaled and cropped to `size`; with None it is limited to `max_side` and resized to a
    multiple of `multiple`.
    """
    if size is None:
        photo = images.limit_side(photo, max_side)
        height, width = (max(2 * multiple, n - n % multiple) for n in photo.shape[:2])
        return images.to_network(images.resize(photo, height, width))[None]
    height, width = size
    scale = max(height / photo.shape[0], width / photo.shape[1])
    covering = (max(n, round(s * scale)) for n, s in zip(size, photo.shape[:2], strict=True))
    photo = images.resize(photo, *covering)
    top, left = (photo.shape[0] - height) // 2, (photo.shape[1] - width) // 2
    return images.to_network(photo[top : top + height, left : left + width])[None]


def expected(model, batch):
    """What `model` returns for a float32 batch (1, H, W, 3) of any size, in [-1, 1].

    Sides are padded by reflection to its multiple, and the output is cropped.
    """
    height, width = batch.shape[1:3]
    padded = images.pad_to_multiple(batch[0], size_multiple(model))[None]
    return model(padded, training=False).numpy()[:, :height, :width]


def run_alone(kind, model, inputs):
    """Run the exported `model` in a process without this project.

    kind: "tflite", "onnx", "openvino" or "saved_model".

    inputs: {signature: list of arrays}. Returns the outputs in the same form, and a dict of
    measurements in which `seconds` has that form too. Raises `ExportError` if the process fails or
    takes more than an hour.
    """
    named = {
        f"{key}:{n}": array for key, arrays in inputs.items() for n, array in enumerate(arrays)
    }
    with tempfile.TemporaryDirectory() as folder:
        request = {key: f"{folder}/{key}.npz" for key in ("inputs", "outputs", "measured")}
        request |= {"kind": kind, "model": str(Path(model).resolve())}
        request |= {"threads": memory.cores(), "memory": memory.__file__}
        np.savez(request["inputs"], **named)
        path = Path(folder, "request.json")
        path.write_text(json.dumps(request), "utf-8")
        process = _run_python(kind, str(path), folder)
        if process.returncode:
            last = (process.stderr.strip().splitlines() or ["no message"])[-1]
            raise ExportError(
                f"export: the {kind} does not run in a separate process "
                f"(exit status {process.returncode}): {last}"
            )
        measured = json.loads(Path(request["measured"]).read_text("utf-8"))
        with np.load(request["outputs"]) as stored:
            outputs = {name: stored[name] for name in named}

    def by_signature(values):
        return {k: [values[f"{k}:{n}"] for n in range(len(arrays))] for k, arrays in inputs.items()}

    measured["seconds"] = by_signature(measured["seconds"])
    return by_signature(outputs), measured


def _run_python(kind, request, folder):
    """Run `isolated.py` with the file `request` in `folder`.

    It uses the installed packages of the system and the user, but not PYTHONPATH; `python -I` would
    ignore the user's packages too.
    """
    options = ["-s"] if sys.flags.no_user_site else []
    try:
        return subprocess.run(
            [sys.executable, *options, str(_ALONE), request],
            cwd=folder,
            env={name: text for name, text in os.environ.items() if name != "PYTHONPATH"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ExportError(
            f"export: the {kind} in a separate process had no output after {_TIMEOUT_SECONDS:g} "
            "seconds and was ended"
        ) from error


def psnr(a, b):
    """Peak signal-to-noise ratio in dB of two images in [-1, 1] of the same shape; at most 200.

    10 log10(peak^2 / mean squared difference) with a peak of 2.
    """
    difference = np.clip(a, -1, 1).astype(np.float64) - np.clip(b, -1, 1)
    error = np.mean(np.square(difference))
    return 200.0 if error < 4e-20 else min(200.0, 10 * math.log10(4 / error))


def ssim(a, b):
    """Structural similarity of two images in [-1, 1], (1, H, W, 3): Wang et al., 2004.

    The mean over RGB with a Gaussian window of 11 pixels and deviation 1.5, k1 0.01, k2 0.03, where
    the window is inside the image.
    """
    x, y = ((np.clip(image[0], -1, 1).astype(np.float64) + 1) / 2 for image in (a, b))

    def blur(image):
        return cv2.GaussianBlur(image, (11, 11), 1.5)[5:-5, 5:-5]

    mean_x, mean_y = blur(x), blur(y)
    variance_x, variance_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    bottom = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return float(np.mean(top / bottom))


def compare(outputs, expected, bound):
    """PSNR and SSIM of the outputs, a dict. Raises `ExportError` for a PSNR below `bound` dB."""
    for output, reference in zip(outputs, expected, strict=True):
        if output.shape != reference.shape or output.dtype != np.float32:
            raise ExportError(
                f"export: expected float32 {reference.shape}, received {output.dtype} "
                f"{output.shape}"
            )
        if not np.isfinite(output).all():
            raise ExportError("export: its outputs are not finite")
    pairs = list(zip(outputs, expected, strict=True))
    ratios = [psnr(*pair) for pair in pairs]
    similarities = [ssim(*pair) for pair in pairs]
    result = {
        "photos": len(pairs),
        "psnr_db": {"lowest": min(ratios), "median": statistics.median(ratios), "bound": bound},
        "ssim": {"lowest": min(similarities), "median": statistics.median(similarities)},
        "largest_difference_levels": max(
            float(np.abs(np.clip(a, -1, 1) - b).max()) * _LEVELS / 2 for a, b in pairs
        ),
    }
    if min(ratios) < bound:
        raise ExportError(
            f"export: expected a PSNR of at least {bound:g} dB against the float32 model, received "
            f"{min(ratios):.1f} dB on the worst of {len(pairs)} photos "
            f"(median {statistics.median(ratios):.1f})"
        )
    return result
