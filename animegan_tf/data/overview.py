"""Contact sheets of all folders of a data set in one image. No TensorFlow.

Images are uint8 RGB (height, width, 3).
"""

import functools

import numpy as np

from animegan_tf import contact_sheet, files, images
from animegan_tf.errors import InputError

_HEADING, _MARGIN, _WHITE = 34, 8, 255
_TILE = 112
_UNREADABLE = (150, 40, 40)


def write(path, report, most=48):
    """Write the contact sheet of a `check.DatasetReport` to the image file `path`.

    It shows up to `most` images of each folder at equal intervals, then duplicates, each above its
    original. Raises `InputError` if there are no images.
    """
    sections = []
    for name, folder in report.folders.items():
        if folder.count:
            numbers = images.even_choice(range(len(folder.pictures)), most)
            load = functools.partial(_tile, folder.pictures.color)
            tiles = files.map_in_threads(load, numbers, "contact sheet", progress=False)
            heading = f"{name}: {len(numbers)} of {folder.count} images"
            sections.append(_section(heading, tiles))
    for what, duplicates in report.duplicates.items():
        shown = images.even_choice(duplicates, most)
        pairs = [_above(_tile(_decode, pair.path), _tile(_decode, pair.original)) for pair in shown]
        labels = ["identical" if pair.exact else "similar" for pair in shown]
        sections.append(_section(f"{len(duplicates)} {what}", pairs, labels))
    if not sections:
        raise InputError("contact_sheet: expected a data set with readable images, found none")
    width = max(section.shape[1] for section in sections)
    images.write_photo(path, np.concatenate([_padded(section, width) for section in sections]))


def _section(heading, pictures, labels=None):
    """A heading and the images below it."""
    sheet = contact_sheet.draw(pictures, labels, _TILE)
    width = contact_sheet.text_width(heading, 0.55, bold=True) + 2 * _MARGIN
    top = np.full((_HEADING, max(sheet.shape[1], width), 3), _WHITE, np.uint8)
    contact_sheet.put_text(top, heading, _MARGIN, 23, 0.55, bold=True)
    return np.concatenate([top, _padded(sheet, top.shape[1])])


def _decode(path):
    return files.decode_color(path.read_bytes(), path)


def _tile(load, item):
    """The image `load(item)`, scaled down; a red square if it cannot be read."""
    try:
        return images.limit_side(load(item), _TILE)
    except (InputError, OSError):
        return np.full((_TILE, _TILE, 3), _UNREADABLE, np.uint8)


def _above(top, bottom):
    width = max(top.shape[1], bottom.shape[1])
    return np.concatenate([_padded(top, width), _padded(bottom, width)])


def _padded(image, width):
    padding = ((0, 0), (0, width - image.shape[1]), (0, 0))
    return np.pad(image, padding, constant_values=_WHITE)
