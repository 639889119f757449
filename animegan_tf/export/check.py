"""An export against the Keras model: run in a fresh process, compared, measured."""

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

_ALONE = Path(__file__).with_name("isolated.py")
_SAMPLE_PHOTOS = Path(__file__).with_name("photos")
_LEVELS = 255.0
# Far more than any export has taken, for one that never answers.
_LONGEST_SECONDS = 3600.0


class ExportError(InputError):
    """An export that does not do what its model does; nothing of it is kept."""


def read_photos(folder, limit, name="photos"):
    """Up to `limit` photos of `folder` in the order of their names, uint8 RGB.

    With `folder` None the small real photos that come with the project. Raises `InputError` that
    names the argument `name` for a missing or empty folder.
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
    """A photo as float32 (1, H, W, 3) in [-1, 1]: covering `size`, or cut to the multiple."""
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


def run_alone(kind, model, pictures):
    """Run the exported `model` ("tflite" or "saved_model") in a process without this project.

    pictures: a dict of signature to a list of arrays. Returns the answers in that form, and a dict
    of what was measured with `seconds` in that form too. Raises `ExportError` when it fails, or
    has not ended after an hour.
    """
    named = {f"{key}:{n}": p for key, given in pictures.items() for n, p in enumerate(given)}
    with tempfile.TemporaryDirectory() as folder:
        request = {key: f"{folder}/{key}.npz" for key in ("inputs", "outputs", "measured")}
        request |= {"kind": kind, "model": str(Path(model).resolve())}
        request |= {"threads": memory.cores(), "memory": memory.__file__}
        np.savez(request["inputs"], **named)
        asked = Path(folder, "request.json")
        asked.write_text(json.dumps(request), "utf-8")
        ended = _run_python(kind, str(asked), folder)
        if ended.returncode:
            last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
            raise ExportError(
                f"export: the {kind} does not run in a process of its own "
                f"(exit status {ended.returncode}): {last}"
            )
        measured = json.loads(Path(request["measured"]).read_text("utf-8"))
        with np.load(request["outputs"]) as stored:
            answers = {name: stored[name] for name in named}

    def by_signature(values):
        return {k: [values[f"{k}:{n}"] for n in range(len(p))] for k, p in pictures.items()}

    measured["seconds"] = by_signature(measured["seconds"])
    return by_signature(answers), measured


def _run_python(kind, request, folder):
    """Answer the file `request` in `folder`, with the packages that are installed: those of the
    system and the user, not what PYTHONPATH adds, which `python -I` would leave out alike.
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
            timeout=_LONGEST_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ExportError(
            f"export: the {kind} had not answered after {_LONGEST_SECONDS:g} seconds in a process "
            "of its own, which was ended"
        ) from error


def psnr(one, other):
    """Peak signal to noise ratio in dB of two pictures in [-1, 1], of any one shape; 200 at most.

    10 log10(peak^2 / mean squared difference) with a peak of 2.
    """
    difference = np.clip(one, -1, 1).astype(np.float64) - np.clip(other, -1, 1)
    error = np.mean(np.square(difference))
    return 200.0 if error < 4e-20 else min(200.0, 10 * math.log10(4 / error))


def ssim(one, other):
    """Structural similarity of two pictures in [-1, 1], (1, H, W, 3): Wang et al., 2004.

    The mean over RGB under a Gaussian window of 11 pixels and deviation 1.5, k1 0.01, k2 0.03, and
    only where the window lies inside the picture.
    """
    x, y = ((np.clip(p[0], -1, 1).astype(np.float64) + 1) / 2 for p in (one, other))

    def blur(picture):
        return cv2.GaussianBlur(picture, (11, 11), 1.5)[5:-5, 5:-5]

    mean_x, mean_y = blur(x), blur(y)
    variance_x, variance_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    bottom = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return float(np.mean(top / bottom))


def compare(answers, expected, bound):
    """PSNR and SSIM of each answer as a dict; `ExportError` if a PSNR is below `bound` dB."""
    for answer, wanted in zip(answers, expected, strict=True):
        if answer.shape != wanted.shape or answer.dtype != np.float32:
            raise ExportError(
                f"export: expected float32 {wanted.shape}, its answer is "
                f"{answer.dtype} {answer.shape}"
            )
        if not np.isfinite(answer).all():
            raise ExportError("export: it answers with values that are not finite")
    pairs = list(zip(answers, expected, strict=True))
    ratios = [psnr(*pair) for pair in pairs]
    similarities = [ssim(*pair) for pair in pairs]
    found = {
        "photos": len(pairs),
        "psnr_db": {"lowest": min(ratios), "median": statistics.median(ratios), "bound": bound},
        "ssim": {"lowest": min(similarities), "median": statistics.median(similarities)},
        "largest_difference_levels": max(
            float(np.abs(np.clip(a, -1, 1) - b).max()) * _LEVELS / 2 for a, b in pairs
        ),
    }
    if min(ratios) < bound:
        raise ExportError(
            f"export: its pictures have a PSNR of {min(ratios):.1f} dB against the float32 model "
            f"on the worst of {len(pairs)} photos (median {statistics.median(ratios):.1f}), "
            f"where at least {bound:g} dB are required"
        )
    return found
