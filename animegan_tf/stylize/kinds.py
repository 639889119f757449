"""The kinds of photos that a `Stylizer` takes: files, bytes, images of Pillow, arrays.

`unpacked` makes a `Photo` of each, and says how a result becomes the same kind again.
"""

import os
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.images import formats

# What a `Stylizer` takes, and returns, but for an array for a path.
Kind = np.ndarray | Image.Image | bytes | str | os.PathLike | list

_EXPECTED = (
    "an array (height, width), (height, width, 3) or (height, width, 4) of uint8, uint16 or of "
    "floats in [0, 1], a batch of them, a path, the bytes of a file or an image of Pillow"
)


def unpacked(photo: Kind) -> tuple[images.Photo, Callable[[np.ndarray, np.ndarray | None], Kind]]:
    """(`Photo`, function from RGB and alpha to the kind of `photo`). Raises `InputError`."""
    if isinstance(photo, (str, os.PathLike)):
        return images.read_photo(photo), _array
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return _encoded(bytes(photo))
    if isinstance(photo, Image.Image):
        return _pillow(photo)
    if isinstance(photo, np.ndarray) and photo.ndim in (2, 3) and photo.size:
        return _from_array(photo)
    raise InputError(f"photo: expected {_EXPECTED}, received {_described(photo)}")


def _described(photo):
    if isinstance(photo, np.ndarray):
        return f"{photo.dtype} {photo.shape}"
    return type(photo).__name__


def _array(rgb, alpha):
    return rgb if alpha is None else np.dstack([rgb, alpha])


def _encoded(data):
    photo = images.decode_photo(data, "photo")
    kind = formats.kind_of(data[: formats.HEAD])
    kind = kind if kind in formats.WRITTEN else "png"

    def back(rgb, alpha):
        options = {"metadata": photo.metadata, "lossless": not photo.lossy}
        return images.encode_photo(kind, rgb, alpha, "photo", **options)

    return photo, back


def _pillow(image):
    photo = images.photo_of(image)

    def back(rgb, alpha):
        made = Image.fromarray(_array(rgb, alpha))
        return made.convert(image.mode) if image.mode in ("L", "LA") else made

    return photo, back


def _from_array(array):
    """Gray, RGB or RGBA; uint8, uint16 or floats in [0, 1], which become uint16."""
    levels = array
    if array.dtype.kind == "f":
        if not (array.min() >= 0 and array.max() <= 1):  # also for NaN
            raise InputError(
                f"photo: expected floats in [0, 1], received {array.min():g} to {array.max():g}"
            )
        levels = np.rint(array * 65535.0).astype(np.uint16)
    channels = 1 if array.ndim == 2 else array.shape[2]
    if levels.dtype not in (np.uint8, np.uint16) or channels not in (1, 3, 4):
        raise InputError(f"photo: expected {_EXPECTED}, received {_described(array)}")
    alpha = np.ascontiguousarray(levels[:, :, 3]) if channels == 4 else None
    if channels == 1:
        rgb = cv2.cvtColor(
            np.ascontiguousarray(levels.reshape(levels.shape[:2])), cv2.COLOR_GRAY2RGB
        )
    else:
        rgb = levels[:, :, :3]

    def back(rgb, alpha):
        made = _array(rgb, alpha)
        if channels == 1:
            made = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
            made = made.reshape(*made.shape, *array.shape[2:])
        return (made / 65535).astype(array.dtype) if array.dtype.kind == "f" else made

    return images.Photo(rgb, alpha), back
