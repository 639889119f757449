"""PNGs of any kind, byte by byte."""

import struct
import zlib

import numpy as np
from exif import png_chunk

# First row and column, and steps, of the seven passes of an interlaced PNG.
_PASSES = (
    (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
    (1, 0, 2, 1),
)  # fmt: skip


def png_of(numbers, bits=16, interlaced=0, chunks=b""):
    """A PNG of an array (H, W, samples) without a palette; `chunks` are further ones."""
    height, width, samples = numbers.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[samples]
    header = struct.pack(">2I5B", width, height, bits, kind, 0, 0, interlaced)
    stored = b""
    for top, left, down, across in _PASSES if interlaced else ((0, 0, 1, 1),):
        part = np.ascontiguousarray(numbers[top::down, left::across], ">u2")
        if part.size:
            places = np.unpackbits(part.view(np.uint8), axis=-1).reshape(*part.shape, 16)
            rows = np.packbits(places[..., -bits:].reshape(len(part), -1), axis=1)
            stored += b"".join(b"\0" + row.tobytes() for row in rows)
    body = png_chunk(b"IHDR", header) + chunks + png_chunk(b"IDAT", zlib.compress(stored))
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")
