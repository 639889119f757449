"""Contact sheets: the images of a folder in one image. No TensorFlow."""

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


def draw(tiles, labels=None, tile=TILE, columns=None):
    """Draw images in rows, from left to right.

    Args:
        tiles: images, uint8 RGB (H, W, 3) of any sizes; shrunk to fit into a square, not enlarged.
        labels: an ASCII string for each image, written below it, or None.
        tile: side of the squares in pixels.
        columns: images in a row; None for a sheet of about 4:3.

    Returns:
        uint8 RGB (H, W, 3).
    """
    if not len(tiles):
        raise InputError("tiles: expected at least one image for a contact sheet, received none")
    if labels is not None and len(labels) != len(tiles):
        raise InputError(f"labels: expected {len(tiles)}, received {len(labels)}")
    columns = columns or math.ceil(math.sqrt(len(tiles) * 4 / 3))
    rows = math.ceil(len(tiles) / columns)
    step = tile + (_LABEL_HEIGHT if labels is not None else 0)
    sheet = np.full((rows * step, columns * tile, 3), _BACKGROUND, np.uint8)
    for index, image in enumerate(tiles):
        top, left = index // columns * step, index % columns * tile
        small = images.limit_side(image, tile)
        height, width = small.shape[:2]
        y, x = top + (tile - height) // 2, left + (tile - width) // 2
        sheet[y : y + height, x : x + width] = small
        if labels is not None:
            size = 0.38 * min(1, (tile - 4) / max(text_width(labels[index], 0.38), 1))
            put_text(sheet, labels[index], left + 2, top + step - 4, size, _LIGHT)
    return sheet


def put_text(sheet, text, x, y, size, color=INK, bold=False):
    """Draw a line of ASCII text on an image, its baseline at (x, y)."""
    text = text.encode("ascii", "replace").decode()
    cv2.putText(sheet, text, (int(x), int(y)), _FONTS[bold], size, color, 1, cv2.LINE_AA)


def text_width(text, size, bold=False):
    """The width of a line of text in pixels."""
    return cv2.getTextSize(text, _FONTS[bold], size, 1)[0][0]


def write(path, paths, labels=None, tile=TILE, most=_MOST):
    """Write a contact sheet of image files, completely or not at all.

    Args:
        path: the output; its suffix sets the format.
        paths: the images; files that cannot be read are left out.
        labels, tile: as for `draw`.
        most: the maximum number of images; of more images, some are chosen at even steps.

    Returns:
        The number of images on the sheet; if it is 0, no file is written.
    """
    indices = images.even_choice(range(len(paths)), most)

    def load(index):
        try:
            image = files.decode_color(paths[index].read_bytes(), paths[index])
            return images.limit_side(image, tile)
        except (InputError, OSError):
            return None

    loaded = files.map_in_threads(load, indices, "contact sheet", progress=False)
    shown = [pair for pair in zip(indices, loaded, strict=True) if pair[1] is not None]
    if not shown:
        return 0
    chosen = None if labels is None else [labels[index] for index, _ in shown]
    images.write_photo(path, draw([image for _, image in shown], chosen, tile))
    return len(shown)
