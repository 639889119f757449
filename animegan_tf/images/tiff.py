"""TIFFs that Pillow does not read, or not correctly: other depths, planes, more samples.

Pillow decompresses them as gray pixels of 8 bits; the bytes are interpreted here (predictor, byte
order, samples).
"""

import contextlib
import io
import struct

import numpy as np
from PIL import Image
from PIL import TiffImagePlugin as plugin

from animegan_tf.errors import InputError

# Lossless compressions: none, LZW, deflate (two codes), PackBits, LZMA, Zstandard.
_OF_BYTES = (1, 5, 8, 32946, 32773, 34925, 50000)
# Those with a predictor.
_PREDICTED = (5, 8, 32946, 34925, 50000)
# Number of colour samples, and Pillow's mode, of each photometric interpretation.
_COLOURS = {0: (1, "L"), 1: (1, "L"), 2: (3, "RGB"), 5: (4, "CMYK")}
_ASSOCIATED, _UNASSOCIATED = 1, 2
_UNSIGNED, _SIGNED, _FLOAT = (1,), 2, (3,)
_LONG, _SUBFILE, ORIENTATION = 4, 254, 274
_DNG_VERSION, _SUB_IFDS = 50706, 330
# Colour filter array, and linear raw.
_RAW_PHOTOMETRICS = (32803, 34892)
# Depths of whole bytes; samples of other depths are packed without gaps.
_WHOLE = (8, 16, 32, 64)
# The number of rows that are decoded at once.
_ROWS = 128


def directory(data, place=None):
    """The tags of a TIFF (bytes) in the directory at `place`, by default the first."""
    tags = plugin.ImageFileDirectory_v2(data[: 16 if _is_big(data) else 8])
    file = io.BytesIO(data)
    file.seek(tags.next if place is None else place)
    tags.load(file)
    return tags


def pages(data: bytes) -> int:
    """The number of images of a TIFF, without previews and masks."""
    tags, places, count = directory(data), set(), 1
    with contextlib.suppress(Exception):  # damaged after the first
        while tags.next and tags.next not in places:
            places.add(tags.next)
            tags = directory(data, tags.next)
            count += not tags.get(_SUBFILE, 0) & 0b101
    return count


def is_raw(data, tags):
    """Whether a TIFF has a camera's raw data, with previews."""
    if _DNG_VERSION in tags or tags.get(plugin.PHOTOMETRIC_INTERPRETATION) in _RAW_PHOTOMETRICS:
        return True
    below = tags.get(_SUB_IFDS, ())
    for place in below if isinstance(below, tuple) else (below,):
        with contextlib.suppress(Exception):  # damaged
            if directory(data, place).get(plugin.PHOTOMETRIC_INTERPRETATION) in _RAW_PHOTOMETRICS:
                return True
    return data[8:10] == b"CR"  # Canon's


def is_unusual(tags):
    """Whether a TIFF with these tags must be read by `read`."""
    count = _COLOURS.get(tags.get(plugin.PHOTOMETRIC_INTERPRETATION), (0,))[0]
    bits = set(tags.get(plugin.BITSPERSAMPLE, (1,)))
    if not count or tags.get(plugin.COMPRESSION, 1) not in _OF_BYTES or bits == {1}:
        return False
    samples = tags.get(plugin.SAMPLESPERPIXEL, 1)
    signed = _SIGNED in tags.get(plugin.SAMPLEFORMAT, _UNSIGNED)
    planar = tags.get(plugin.PLANAR_CONFIGURATION, 1) == 2
    return bits != {8} or samples != count or signed or planar


def read(
    data: bytes, tags: plugin.ImageFileDirectory_v2, deep: bool = False
) -> tuple[Image.Image, Image.Image | np.ndarray, np.ndarray | None]:
    """(an image with the file's tags, an image of its colours, alpha or None).

    Colours have 8 bits, in mode L, RGB or CMYK; with `deep` they are an array of uint16, (H, W) or
    (H, W, 3 or 4). Alpha is uint8 or uint16 (H, W). Neither is turned upright.
    Raises `InputError` for unsupported samples, and any exception for damaged files.
    """
    photometric, extra = tags[plugin.PHOTOMETRIC_INTERPRETATION], tags.get(plugin.EXTRASAMPLES)
    count, mode = _COLOURS[photometric]
    described, samples = _samples(data, tags)
    if samples.dtype.kind == "f":
        white = white_of_floats(samples)
    else:
        white = 2 ** tags[plugin.BITSPERSAMPLE][0] - 1
    colours, alpha = samples[:, :, :count], None
    if photometric == 0:
        colours = white - colours
    kind = (extra or (_UNASSOCIATED,))[0]
    if samples.shape[2] > count and kind in (_ASSOCIATED, _UNASSOCIATED):
        if kind == _ASSOCIATED:
            weight = np.maximum(samples[:, :, count, None] / np.float32(white), np.float32(1e-6))
            colours = np.minimum(colours / weight, white)
        alpha = levels(samples[:, :, count], white, deep)
    colours = levels(colours, white, deep)
    colours = colours[:, :, 0] if count == 1 else colours
    return described, colours if deep else Image.fromarray(colours, mode), alpha


def levels(numbers: np.ndarray, white: int, deep: bool = False) -> np.ndarray:
    """Convert numbers from 0 to `white`, of any type, to uint8, or with `deep` to uint16."""
    kind = np.uint16 if deep else np.uint8
    most = np.iinfo(kind).max
    if numbers.dtype.kind == "u" and numbers.dtype.itemsize <= 2:
        table = (np.arange(white + 1, dtype=np.uint64) * most + white // 2) // white
        return np.take(table.astype(kind), numbers, mode="clip")
    return np.rint(np.clip(numbers * (most / white), 0, most)).astype(kind)


def white_of_floats(numbers):
    """The white of floats: 1, or 255 if their mean exceeds 1. Raises `InputError` for others.

    Single numbers may lie outside: highlights of HDR, what sharpening leaves.
    """
    mean = float(numbers.mean(dtype=np.float64))
    if not 0 <= mean <= 255:  # also for NaN
        raise InputError(f"expected floats of 0 to 1 or to 255, received {mean:g} on average")
    return 255 if mean > 1 else 1


def _samples(data, tags):
    """(an image with the file's tags, its samples as an array (H, W, samples))."""
    bits, samples = tags[plugin.BITSPERSAMPLE][0], tags.get(plugin.SAMPLESPERPIXEL, 1)
    kind = tuple(set(tags.get(plugin.SAMPLEFORMAT, _UNSIGNED)))
    known = {_UNSIGNED: (*range(2, 16), *_WHOLE), _FLOAT: _WHOLE[1:]}.get(kind, ())
    if bits not in known or set(tags[plugin.BITSPERSAMPLE]) != {bits}:
        raise InputError(
            "expected unsigned samples of 2 to 16, 32 or 64 bits or floats, received others"
        )
    width, planes = tags[plugin.IMAGEWIDTH], 1
    if tags.get(plugin.PLANAR_CONFIGURATION, 1) == 2:
        samples, planes = 1, samples
    # Tiles include pixels beyond the right edge.
    tile = tags.get(plugin.TILEWIDTH, width)
    across, row = -(-width // tile), -(-tile * samples * bits // 8)
    unpacked = [_gray(data, tags, plane, planes, across * row, row) for plane in range(planes)]
    number = f"{'f' if kind == _FLOAT else 'u'}{bits // 8 if bits in _WHOLE else 2}"
    predicted = tags.get(plugin.COMPRESSION, 1) in _PREDICTED
    predictor = tags.get(plugin.PREDICTOR) if predicted else None
    height = unpacked[0].height
    numbers = np.empty((height, width, planes * samples), number.replace("f2", "f4"))
    for plane, image in enumerate(unpacked):
        stored = np.asarray(image).reshape(height, across, row)
        for first in range(0, height, _ROWS):
            part = stored[first : first + _ROWS]
            part = _numbers(part, bits, samples, _order(data) + number, predictor)
            part = part[:, :, : tile * samples].reshape(len(part), -1, samples)[:, :width]
            numbers[first : first + _ROWS, :, plane * samples : (plane + 1) * samples] = part
    return unpacked[0], numbers


def _numbers(parts, bits, samples, number, predictor):
    """Bytes (H, tiles of a row, bytes) as numbers."""
    if bits not in _WHOLE:
        places = np.unpackbits(parts, axis=2)
        count = places.shape[2] // bits
        places = places[:, :, : count * bits].reshape(*parts.shape[:2], count, bits)
        parts = places @ (1 << np.arange(bits - 1, -1, -1, dtype=np.uint16))
    elif predictor == 3:  # first all most significant bytes, then the next
        parts = _summed(parts, samples).reshape(*parts.shape[:2], bits // 8, -1)
        return np.ascontiguousarray(parts.swapaxes(2, 3)).view(f">f{bits // 8}")[..., 0]
    else:
        parts = parts.view(number)
    if predictor == 2:
        sums = _summed(parts.view(parts.dtype.str.replace("f", "u")), samples)
        return sums.view(parts.dtype.newbyteorder("="))
    return parts


def _summed(parts, samples):
    """Undo differences to the left pixel."""
    pixels = parts.reshape(*parts.shape[:2], -1, samples)
    return np.cumsum(pixels, axis=2, dtype=parts.dtype.newbyteorder("=")).reshape(parts.shape)


def _gray(data, tags, plane, planes, width, tile):
    """The bytes of a plane as a gray image of Pillow with the file's tags."""
    offsets, counts = plugin.STRIPOFFSETS, plugin.STRIPBYTECOUNTS
    changed = {
        plugin.IMAGEWIDTH: (width,), plugin.BITSPERSAMPLE: (8,), plugin.SAMPLESPERPIXEL: (1,),
        plugin.PHOTOMETRIC_INTERPRETATION: (1,), plugin.PLANAR_CONFIGURATION: (1,),
        plugin.PREDICTOR: (1,), plugin.SAMPLEFORMAT: (1,), plugin.EXTRASAMPLES: (),
        ORIENTATION: (),
    }  # fmt: skip
    if plugin.TILEWIDTH in tags:
        offsets, counts = plugin.TILEOFFSETS, plugin.TILEBYTECOUNTS
        changed[plugin.TILEWIDTH] = (tile,)
    for tag in (offsets, counts):
        share = len(tags[tag]) // planes
        changed[tag] = tags[tag][plane * share : (plane + 1) * share]
    return Image.open(io.BytesIO(with_tags(data, changed)), formats=["TIFF"])


def with_tags(data, changed):
    """The bytes of a TIFF with other values, tuples of whole numbers; empty tuples remove tags.

    The new directory is appended, so that the data of other tags stay in place.
    """
    order = _order(data)
    head, count, entry, word = (8, "Q", "HHQ8s", "Q") if _is_big(data) else (4, "H", "HHI4s", "I")
    (place,) = struct.unpack_from(order + word, data, head)
    (number,) = struct.unpack_from(order + count, data, place)
    place += struct.calcsize(order + count)
    size = struct.calcsize(order + entry)
    stored = data[place : place + number * size]
    entries = {values[0]: values for values in struct.iter_unpack(order + entry, stored)}
    file = bytearray(data + bytes(len(data) % 2))
    for tag, values in changed.items():
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(packed) > struct.calcsize(word):
            packed, moved = struct.pack(order + word, len(file)), packed
            file += moved
        entries[tag] = (tag, _LONG, len(values), packed)
    file[head : head + struct.calcsize(order + word)] = struct.pack(order + word, len(file))
    entries = [values for _, values in sorted(entries.items()) if values[2]]
    file += struct.pack(order + count, len(entries))
    for values in entries:
        file += struct.pack(order + entry, *values)
    return bytes(file) + bytes(8)


def _order(data):
    return "<" if data[:2] == b"II" else ">"


def _is_big(data):
    return data[2:4] in (b"+\0", b"\0+")
