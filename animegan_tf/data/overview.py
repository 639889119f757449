"""A data set at a glance: contact sheets of its folders below each other. No TensorFlow.

Pictures are uint8 RGB (height, width, 3).
"""

import functools

import numpy as np

from animegan_tf import contact_sheet, files, images
from animegan_tf.errors import InputError

_HEADING, _MARGIN, _WHITE = 34, 8, 255
_TILE = 112
_UNREADABLE = (150, 40, 40)


def write(path, report, most=48):
    """Write the contact sheet of a `check.DatasetReport` to `path`, a picture file's name.

    Up to `most` pictures of each folder are shown, taken at even steps, then pictures that are
    there twice, each above its original. Raises `InputError` when there is nothing to show.
    """
    sections = []
    for name, folder in report.folders.items():
        if folder.count:
            numbers = images.even_choice(range(len(folder.pictures)), most)
            load = functools.partial(_tile, folder.pictures.color)
            pictures = files.map_in_threads(load, numbers, "contact sheet", progress=False)
            heading = f"{name}: {len(numbers)} of {folder.count} pictures"
            sections.append(_section(heading, pictures))
    for what, found in report.duplicates.items():
        shown = images.even_choice(found, most)
        pairs = [_above(_tile(_decode, one.path), _tile(_decode, one.original)) for one in shown]
        labels = ["the same file" if one.exact else "alike" for one in shown]
        sections.append(_section(f"{len(found)} {what}", pairs, labels))
    if not sections:
        raise InputError("contact_sheet: expected a data set with readable pictures, found none")
    width = max(section.shape[1] for section in sections)
    images.write_photo(path, np.concatenate([_widened(one, width) for one in sections]))


def _section(heading, pictures, labels=None):
    """A heading and the pictures below it."""
    sheet = contact_sheet.draw(pictures, labels, _TILE)
    width = contact_sheet.text_width(heading, 0.55, bold=True) + 2 * _MARGIN
    top = np.full((_HEADING, max(sheet.shape[1], width), 3), _WHITE, np.uint8)
    contact_sheet.put_text(top, heading, _MARGIN, 23, 0.55, bold=True)
    return np.concatenate([top, _widened(sheet, top.shape[1])])


def _decode(path):
    return files.decode_color(path.read_bytes(), path)


def _tile(load, which):
    """The picture `load(which)`, made small; a red square when it cannot be read."""
    try:
        return contact_sheet.shrink(load(which), _TILE)
    except (InputError, OSError):
        return np.full((_TILE, _TILE, 3), _UNREADABLE, np.uint8)


def _above(one, other):
    width = max(one.shape[1], other.shape[1])
    return np.concatenate([_widened(one, width), _widened(other, width)])


def _widened(picture, width):
    more = ((0, 0), (0, width - picture.shape[1]), (0, 0))
    return np.pad(picture, more, constant_values=_WHITE)
