"""Many pictures on one: what a folder holds, at a glance. No TensorFlow."""

import math

import cv2
import numpy as np

from animegan_tf import files, images
from animegan_tf.errors import InputError

TILE = 96
_LABEL_HEIGHT = 14
_BACKGROUND, _LIGHT, INK = 24, (200, 200, 200), (35, 35, 40)
_FONTS = cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX
_MOST = 2000


def draw(pictures, labels=None, tile=TILE):
    """Pictures in rows, read from the left, on one of about 4:3.

    Args:
        pictures: uint8 RGB (H, W, 3) each, of any sizes; shrunk to fit into a square, not enlarged.
        labels: an ASCII string for each, written below it, or None.
        tile: side of the squares in pixels.

    Returns:
        uint8 RGB (H, W, 3).
    """
    if not len(pictures):
        raise InputError("pictures: expected at least one for a contact sheet, received none")
    if labels is not None and len(labels) != len(pictures):
        raise InputError(f"labels: expected {len(pictures)}, received {len(labels)}")
    columns = math.ceil(math.sqrt(len(pictures) * 4 / 3))
    rows = math.ceil(len(pictures) / columns)
    step = tile + (_LABEL_HEIGHT if labels is not None else 0)
    sheet = np.full((rows * step, columns * tile, 3), _BACKGROUND, np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * step, index % columns * tile
        small = shrink(picture, tile)
        height, width = small.shape[:2]
        y, x = top + (tile - height) // 2, left + (tile - width) // 2
        sheet[y : y + height, x : x + width] = small
        if labels is not None:
            size = 0.38 * min(1, (tile - 4) / max(text_width(labels[index], 0.38), 1))
            put_text(sheet, labels[index], left + 2, top + step - 4, size, _LIGHT)
    return sheet


def shrink(picture, tile=TILE):
    """`picture` made small enough for a square of `tile` pixels."""
    height, width = picture.shape[:2]
    scale = tile / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def put_text(sheet, text, x, y, size, color=INK, bold=False):
    """Write one line into a picture, its baseline at (x, y); OpenCV draws ASCII alone."""
    text = text.encode("ascii", "replace").decode()
    cv2.putText(sheet, text, (int(x), int(y)), _FONTS[bold], size, color, 1, cv2.LINE_AA)


def text_width(text, size, bold=False):
    """Pixels that a line of text takes."""
    return cv2.getTextSize(text, _FONTS[bold], size, 1)[0][0]


def write(path, paths, labels=None, tile=TILE, most=_MOST):
    """Draw a contact sheet of picture files and write it, whole or not at all.

    Args:
        path: where to; its suffix says the format.
        paths: of the pictures; files that cannot be read are left out.
        labels: as for `draw`.
        tile: as for `draw`.
        most: of more pictures, this many are shown, taken at even steps.

    Returns:
        The number of pictures on the sheet; nothing is written when it is 0.
    """
    indices = images.even_choice(range(len(paths)), most)

    def load(index):
        try:
            return shrink(files.decode_color(paths[index].read_bytes(), paths[index]), tile)
        except (InputError, OSError):
            return None

    loaded = files.map_in_threads(load, indices, "contact sheet", progress=False)
    shown = [(at, one) for at, one in zip(indices, loaded, strict=True) if one is not None]
    if not shown:
        return 0
    chosen = None if labels is None else [labels[at] for at, _ in shown]
    images.write_photo(path, draw([one for _, one in shown], chosen, tile))
    return len(shown)
