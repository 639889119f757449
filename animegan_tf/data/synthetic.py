"""A tiny drawn data set, to try the training without any data; imports no TensorFlow.

The photos are soft gradients and shapes under noise, the anime frames flat colours with dark
outlines: enough difference for every loss to have something to do. Pictures are uint8 RGB.
"""

import contextlib
import json
import pathlib
import shutil
import uuid

import cv2
import numpy as np

from animegan_tf import images, storage
from animegan_tf.data import smoothing
from animegan_tf.errors import InputError

STYLE = "smoke"
_MARKER = ".animegan_smoke.json"


def make_smoke_dataset(folder, image_size=64, count=6, seed=0) -> pathlib.Path:
    """Draw a complete data set: `train_photo`, `smoke/style`, `smoke/smooth`, `val`.

    Args:
        folder: a new or empty folder. One that this function filled with the same settings is
            used again as it is, also where another process does so meanwhile; anything else is
            refused.
        image_size: side of the square pictures.
        count: training photos, and anime frames; `val` gets half as many.
        seed: of the drawings.

    Returns:
        The folder; its style is `synthetic.STYLE`.
    """
    folder = pathlib.Path(folder)
    for name, value, least in (("image_size", image_size, 16), ("count", count, 1)):
        if not isinstance(value, int) or value < least:
            raise InputError(f"{name} must be an integer of at least {least}, got {value!r}")
    settings = {"image_size": image_size, "count": count, "seed": seed}
    if not _is_empty(folder):
        _require_same_settings(folder, settings)
        return folder

    # Drawn aside and renamed: a folder with the marker is always complete.
    aside = folder.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
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
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _is_empty(folder):
    """Whether there is nothing in `folder`, which need not be there."""
    try:
        return next(folder.iterdir(), None) is None
    except FileNotFoundError:
        return True
    except NotADirectoryError:
        raise InputError(f"folder must be a folder, got the file {folder}") from None


def _require_same_settings(folder, settings):
    """Raise `InputError` unless `folder` is a smoke data set made with `settings`."""
    marker = folder / _MARKER
    if not marker.is_file():
        raise InputError(
            f"the smoke data set needs a new or empty folder, got {folder}, which holds other files"
        )
    try:
        found = json.loads(marker.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        found = "settings that cannot be read"
    if found != settings:
        raise InputError(
            f"{folder} holds a smoke data set of {found}, asked for {settings}: "
            "delete it or choose another folder"
        )


def _draw(folder, image_size, count, seed):
    """Write all pictures of the data set."""
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
    """A photo-like picture: a shaded background, soft-edged shapes, light noise. uint8 RGB."""
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
    """An anime-like picture: flat bright polygons with dark outlines. uint8 RGB."""
    picture = np.full((size, size, 3), rng.integers(120, 256, 3), np.uint8)
    for _ in range(7):
        corners = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 8))))
        reach = rng.uniform(0.1, 0.35) * size
        shape = rng.uniform(0, size, 2) + reach * np.stack([np.cos(corners), np.sin(corners)], -1)
        shape = shape.round().astype(np.int32)[None]
        cv2.fillPoly(picture, shape, rng.integers(60, 256, 3).tolist(), cv2.LINE_AA)
        cv2.polylines(picture, shape, True, (25, 20, 30), max(1, size // 64), cv2.LINE_AA)
    return picture
