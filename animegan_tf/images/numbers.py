"""Reads images as numbers: formats that Pillow does not read (well), and more than 8 bits.

PAM, PFM, Radiance HDR, SGI and unusual bitmaps (BMP); and with all their bits PNG, PPM, JPEG 2000,
AVIF and HEIC, which Pillow reads with 8 bits.
"""

import re
import struct

import cv2
import numpy as np
from PIL import Image

from animegan_tf.errors import InputError
from animegan_tf.images import colours
from animegan_tf.images.tiff import levels, white_of_floats

# Width and height in the headers of formats that are not left to Pillow.
_SIZES = {
    "pam": rb"P7\s(?:.*\s)?WIDTH\s+(\d+)\s(?:.*\s)?HEIGHT\s+(\d+)\s",
    "pfm": rb"P[Ff]\s+(\d+)\s+(\d+)\s",
    "hdr": rb"\n-Y (?P<height>\d+) \+X (?P<width>\d+)\n",
    "sgi": rb"\x01\xda....(..)(..)",
}
_HEADER = 2**16
# The compressions of bitmaps: runs of 4 bits, and bit fields without and with alpha.
_RUNS, _FIELDS, _FIELDS_WITH_ALPHA = 2, 3, 6
# The start of the codestream of JPEG 2000, and the box with the depth of an AVIF.
_CODESTREAM, _AV1 = b"\xff\x4f\xff\x51", rb"av1C..(.)"


def size_of(data: bytes, kind: str | None) -> tuple[int, int] | None:
    """(height, width) in the header of an image that Pillow does not open; None for others."""
    if kind == "bmp":
        header, _, width, height, *layout = _bitmap(data)
        return (abs(height), width) if _is_unusual(header, *layout) else None
    found = re.search(_SIZES[kind], data[:_HEADER], re.DOTALL) if kind in _SIZES else None
    if found is None:
        return None
    if kind == "hdr":
        return int(found["height"]), int(found["width"])
    if kind == "sgi":
        return tuple(int.from_bytes(found[place], "big") for place in (2, 1))
    return int(found[2]), int(found[1])


def read(
    data: bytes, kind: str | None, image: Image.Image, deep: bool
) -> tuple[Image.Image | np.ndarray, np.ndarray | None] | None:
    """(colours, alpha or None) of a file that Pillow does not read as well, None for others.

    image: Pillow's, not loaded; not used for the formats of `size_of`. Colours are an image of
    Pillow of mode L or RGB, or with `deep` an array of uint16, (H, W) or (H, W, 3); alpha is
    uint8 or uint16 (H, W). Raises any exception for damaged files.
    """
    reader = (_READERS | (_DEEP if deep else {})).get(kind)
    numbers, white = (reader(data, image) if reader else None) or (None, None)
    if numbers is None:
        return None
    numbers = numbers[:, :, None] if numbers.ndim == 2 else numbers
    count = 1 if numbers.shape[2] < 3 else 3
    alpha = levels(numbers[:, :, count], white, deep) if numbers.shape[2] > count else None
    shown = levels(numbers[:, :, :count], white, deep)
    shown = shown[:, :, 0] if count == 1 else shown
    return shown if deep else Image.fromarray(shown), alpha


def _bitmap(data):
    """(header's size, start of pixels, width, height (below 0: top first), bits, compression)."""
    start, header = struct.unpack_from("<2I", data, 10)
    if header == 12:
        return header, start, *struct.unpack_from("<2H", data, 18), data[24], 0
    sides = struct.unpack_from("<2i", data, 18)
    return header, start, *sides, data[28], data[30] if header > 16 else 0


def _is_unusual(header, bits, compression):
    return header == 16 or bits == 2 or compression in (_FIELDS, _FIELDS_WITH_ALPHA)


def _bmp(data, _):
    header, start, width, height, bits, compression = _bitmap(data)
    if compression == _RUNS:  # Pillow before 13 misreads odd runs of pixels
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        return None if bgr is None else (bgr[:, :, ::-1], 255)
    if not _is_unusual(header, bits, compression):
        return None
    row = -(-width * bits // 32) * 4
    rows = np.frombuffer(data, np.uint8, row * abs(height), start).reshape(abs(height), row)
    rows = rows[:: -1 if height > 0 else 1]
    if bits == 24:
        return rows[:, : 3 * width].reshape(len(rows), width, 3)[:, :, ::-1], 255
    if bits <= 8:
        places = np.unpackbits(rows, axis=1)[:, : width * bits].reshape(len(rows), width, bits)
        palette = np.zeros((2**bits, 3 if header == 12 else 4), np.uint8)
        stored = np.frombuffer(data[14 + header : start], np.uint8)[: palette.size]
        palette.flat[: len(stored)] = stored
        return palette[places @ (1 << np.arange(bits)[::-1]), 2::-1], 255
    words = rows.view(f"<u{bits // 8}")[:, :width].astype(np.uint64)
    masks = struct.unpack_from("<4I", data, 54)
    masks = masks if header >= 56 or compression == _FIELDS_WITH_ALPHA else masks[:3]
    lowest = [max(1, mask & -mask) for mask in masks]
    planes = [
        (words & mask) // low * 65535 // max(1, mask // low)
        for mask, low in zip(masks, lowest, strict=True)
    ]
    return np.dstack(planes if planes[-1].any() else planes[:3]).astype(np.uint16), 65535


def _pam(data, _):
    fields = dict(re.findall(rb"^(\w+)\s+(\d+)\s*$", data[:_HEADER].partition(b"ENDHDR")[0], re.M))
    sides = [int(fields[name]) for name in (b"HEIGHT", b"WIDTH", b"DEPTH")]
    white = int(fields[b"MAXVAL"])
    start = data.index(b"ENDHDR\n") + 7
    kind = ">u2" if white > 255 else "u1"
    return np.frombuffer(data, kind, np.prod(sides), start).reshape(sides), white


def _pfm(data, _):
    found = re.match(rb"P([Ff])\s+(\d+)\s+(\d+)\s+(\S+)\s", data)
    sides = int(found[3]), int(found[2]), 3 if found[1] == b"F" else 1
    order = "<" if float(found[4]) < 0 else ">"
    numbers = np.frombuffer(data, order + "f4", np.prod(sides), found.end()).reshape(sides)[::-1]
    return numbers, white_of_floats(numbers)


def _hdr(data, _):
    light = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return colours.tone_mapped(light[:, :, ::-1]), 1


def _sgi(data, _):
    numbers = _decoded("sgi", data).to_ndarray()
    return numbers, np.iinfo(numbers.dtype).max


def _jpeg2000(data, image):
    """Those of more than 8 bits, which Pillow converts wrongly but for gray ones."""
    place = data.find(_CODESTREAM)
    deep = place >= 0 and data[place + 42] & 0x7F >= 8
    if not deep or image.mode not in ("RGB", "RGBA", "LA"):
        return None
    numbers = _decoded("jpeg2000", data).to_ndarray(format="rgba64le")
    return numbers if image.has_transparency_data else numbers[:, :, :3], 65535


def _png(data, image):
    """Those of 16 bits; Pillow has all of the gray ones."""
    if data[24] != 16 or image.mode not in ("RGB", "RGBA", "LA"):
        return None
    image.load()  # raises for damaged files
    numbers = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    order = [0, 3] if image.mode == "LA" else [2, 1, 0, 3]
    return numbers[:, :, order[: numbers.shape[2]]], 65535


def _clear_png(data, image):
    """Those of 16 bits with a transparent colour, which Pillow compares with 8 bits."""
    return _png(data, image) if image.mode == "RGB" and "transparency" in image.info else None


def _ppm(data, image):
    """Those of two bytes per number; Pillow has all bits of the gray ones."""
    decoder, _, start, options = image.tile[0]
    if image.mode != "RGB" or decoder != "ppm" or options[-1] < 256:
        return None
    shape = image.height, image.width, 3
    return np.frombuffer(data, ">u2", np.prod(shape), start).reshape(shape), options[-1]


def _avif(data, _):
    numbers = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if numbers is None or numbers.dtype != np.uint16:
        return None
    numbers = numbers if numbers.ndim == 2 else numbers[:, :, [2, 1, 0, 3][: numbers.shape[2]]]
    twelve = re.search(_AV1, data, re.DOTALL)[1][0] & 0x20
    return numbers, 4095 if twelve else 1023


def _heic(data, _):
    import pillow_heif

    image = pillow_heif.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    bits = image.info["bit_depth"]
    return (np.asarray(image), 2**bits - 1) if bits > 8 else None


def _decoded(codec, data):
    """The first frame that FFmpeg decodes."""
    import av

    frames = av.CodecContext.create(codec, "r").decode(av.Packet(data))
    if not frames:
        raise InputError("expected an image, received none")
    return frames[0]


_READERS = {
    "pam": _pam, "pfm": _pfm, "hdr": _hdr, "sgi": _sgi, "jpeg2000": _jpeg2000, "bmp": _bmp,
    "png": _clear_png,
}  # fmt: skip
_DEEP = {"png": _png, "pnm": _ppm, "avif": _avif, "heic": _heic}
