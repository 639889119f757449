"""A tiny synthetic data set, to try training without any data; imports no TensorFlow.

The photos are soft gradients and shapes with noise, the anime frames flat colours with dark
outlines, so that all losses are active. Images are uint8 RGB.
"""

import contextlib
import json
import pathlib

import cv2
import numpy as np

from animegan_tf import images, storage
from animegan_tf.data import smoothing
from animegan_tf.errors import InputError
from animegan_tf.validation import check_whole

STYLE = "smoke"
_MARKER = ".animegan_smoke.json"


def make_smoke_dataset(folder, image_size=64, count=6, seed=0) -> pathlib.Path:
    """Draw a complete data set: `train_photo`, `smoke/style`, `smoke/smooth`, `val`.

    Args:
        folder: a new or empty folder, or one that this function has filled with the same settings
            before (or at the same time in another process), which is reused. Other folders are an
            error.
        image_size: side of the square images.
        count: number of training photos, and of anime frames; `val` has half as many.
        seed: seed of the drawings.

    Returns:
        The folder; its style is `synthetic.STYLE`.
    """
    folder = pathlib.Path(folder)
    for name, value, least in (("image_size", image_size, 16), ("count", count, 1)):
        check_whole(name, value, least)
    settings = {"image_size": image_size, "count": count, "seed": seed}
    if not _is_empty(folder):
        _require_same_settings(folder, settings)
        return folder

    # Drawn into a temporary folder and renamed: a folder with the marker is always complete.
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with storage.temporary_folder(folder.parent) as aside:
            _draw(aside, **settings)
            (aside / _MARKER).write_text(json.dumps(settings), encoding="utf-8")
            with contextlib.suppress(OSError):
                folder.rmdir()
            storage.move(aside, folder)
    except OSError:
        # Another worker of the run may have been faster.
        if not (folder / _MARKER).is_file():
            raise
        _require_same_settings(folder, settings)
    return folder


def _is_empty(folder):
    """Whether `folder` is empty or does not exist."""
    try:
        return next(folder.iterdir(), None) is None
    except FileNotFoundError:
        return True
    except NotADirectoryError:
        raise InputError(f"folder: expected a folder, received the file {folder}") from None


def _require_same_settings(folder, settings):
    """Raise `InputError` unless `folder` is a smoke data set with `settings`."""
    marker = folder / _MARKER
    if not marker.is_file():
        raise InputError(
            "folder: expected a new or empty one for the smoke data set, received "
            f"{folder}, which holds other files"
        )
    try:
        found = json.loads(marker.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        found = "settings that cannot be read"
    if found != settings:
        raise InputError(
            f"folder: expected a smoke data set with {settings}, received {folder} with "
            f"{found}: delete it or choose another folder"
        )


def _draw(folder, image_size, count, seed):
    """Write all images of the data set."""
    groups = (
        (folder / "train_photo", draw_photo, count),
        (folder / STYLE / "style", draw_anime, count),
        (folder / "val", draw_photo, max(1, count // 2)),
    )
    for group, (target, draw, number) in enumerate(groups):
        target.mkdir(parents=True)
        for index in range(number):
            rng = np.random.default_rng([seed, group, index])
            images.write_photo(target / f"{index:04}.png", draw(rng, image_size))
    style = folder / STYLE
    smoothing.smooth_folder(style / "style", style / "smooth", image_size, progress=False)


def draw_photo(rng, size):
    """A photo-like image: a shaded background, soft-edged shapes, light noise. uint8 RGB."""
    rows, cols = np.mgrid[0:size, 0:size] / size
    angle = rng.uniform(0, 2 * np.pi)
    ramp = (0.5 + 0.5 * (np.cos(angle) * (rows - 0.5) + np.sin(angle) * (cols - 0.5)))[..., None]
    picture = ramp * rng.uniform(60, 255, 3) + (1 - ramp) * rng.uniform(0, 180, 3)
    for _ in range(8):
        center = rng.integers(0, size, 2).tolist()
        radius = int(rng.integers(size // 12 + 1, size // 4 + 2))
        cv2.circle(picture, center, radius, rng.uniform(0, 255, 3).tolist(), -1, cv2.LINE_AA)
    picture = cv2.GaussianBlur(picture, (0, 0), size / 128) + rng.normal(0, 6, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def draw_anime(rng, size):
    """An anime-like image: flat bright polygons with dark outlines. uint8 RGB."""
    picture = np.full((size, size, 3), rng.integers(120, 256, 3), np.uint8)
    for _ in range(7):
        corners = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 8))))
        reach = rng.uniform(0.1, 0.35) * size
        shape = rng.uniform(0, size, 2) + reach * np.stack([np.cos(corners), np.sin(corners)], -1)
        shape = shape.round().astype(np.int32)[None]
        cv2.fillPoly(picture, shape, rng.integers(60, 256, 3).tolist(), cv2.LINE_AA)
        cv2.polylines(picture, shape, True, (25, 20, 30), max(1, size // 64), cv2.LINE_AA)
    return picture
