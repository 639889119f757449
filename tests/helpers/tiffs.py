"""TIFFs of any kind, byte by byte."""

import struct
import zlib

import numpy as np

ASCII, SHORT, LONG, UNDEFINED = 2, 3, 4, 7
_CODES = {ASCII: "B", SHORT: "H", LONG: "I", UNDEFINED: "B"}


def tiff(tags, *chunks, order="<", big=False, below=b""):
    """A TIFF of one directory: `tags` are {tag: (type, values)}; its strips or tiles are `chunks`.

    below: bytes that follow its 8 or 16 first ones.
    """
    mark, head, count, entry, word = (43, 16, "Q", "HHQ", "Q") if big else (42, 8, "H", "HHI", "I")
    places, body = [], below
    for chunk in chunks:
        places.append(head + len(body))
        body += chunk + bytes(len(chunk) % 2)
    offsets, sizes = (324, 325) if 322 in tags else (273, 279)
    tags = {**tags, offsets: (LONG, places), sizes: (LONG, [len(chunk) for chunk in chunks])}
    start = head + len(body)
    size = struct.calcsize(order + entry) + struct.calcsize(order + word)
    after = start + struct.calcsize(order + count) + size * len(tags) + struct.calcsize(word)
    entries = extra = b""
    for tag, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}{_CODES[kind]}", *values)
        if len(packed) > struct.calcsize(word):
            packed, moved = struct.pack(order + word, after + len(extra)), packed
            extra += moved
        entries += struct.pack(order + entry, tag, kind, len(values))
        entries += packed.ljust(struct.calcsize(word), b"\0")
    first = b"II" if order == "<" else b"MM"
    first += struct.pack(f"{order}H", mark)
    first += struct.pack(f"{order}HHQ", 8, 0, start) if big else struct.pack(f"{order}I", start)
    tail = bytes(struct.calcsize(word)) + extra
    return first + body + struct.pack(order + count, len(tags)) + entries + tail


def tiff_of(
    pixels, *, photometric=None, planar=1, extra=(), order="<", big=False, tile=None, rows=2,
    packed=False, predictor=1, bits=None, more=None, below=b"",
):  # fmt: skip
    """A TIFF of an array (H, W, samples), of whatever type.

    tile: side of tiles, instead of strips of `rows` rows. packed: by deflate. bits: of each sample,
    fewer than the array's. more: further tags. below: as in `tiff`.
    """
    height, width, samples = pixels.shape
    kind, size = pixels.dtype.kind, pixels.dtype.itemsize
    photometric = (2 if samples > 2 else 1) if photometric is None else photometric
    tags = {
        256: (LONG, [width]), 257: (LONG, [height]), 258: (SHORT, [bits or 8 * size] * samples),
        259: (SHORT, [8 if packed else 1]), 262: (SHORT, [photometric]), 277: (SHORT, [samples]),
        284: (SHORT, [planar]), 317: (SHORT, [predictor]),
        339: (SHORT, [{"u": 1, "i": 2, "f": 3}[kind]] * samples), **(more or {}),
    }  # fmt: skip
    if extra:
        tags[338] = (SHORT, extra)
    if tile:
        tags |= {322: (SHORT, [tile]), 323: (SHORT, [tile])}
        pixels = np.pad(pixels, ((0, -height % tile), (0, -width % tile), (0, 0)), "edge")
    else:
        tags[278] = (LONG, [rows])
    chunks = []
    for plane in np.split(pixels, samples, axis=2) if planar == 2 else [pixels]:
        for top in range(0, len(plane), tile or rows):
            for left in range(0, plane.shape[1], tile or width):
                part = plane[top : top + (tile or rows), left : left + (tile or width)]
                chunk = _stored(part, order, predictor, bits)
                chunks.append(zlib.compress(chunk) if packed else chunk)
    return tiff(tags, *chunks, order=order, big=big, below=below)


def _stored(part, order, predictor, bits):
    if bits:
        places = np.unpackbits(part.astype(">u2").view(np.uint8), axis=-1)
        places = places.reshape(*part.shape, 16)[..., -bits:]
        return np.packbits(places.reshape(len(part), -1), axis=1).tobytes()
    if predictor == 2:
        part = np.diff(part, axis=1, prepend=np.zeros_like(part[:, :1]))
    if predictor == 3:
        flat = part.reshape(len(part), -1)
        planes = flat.astype(flat.dtype.newbyteorder(">")).view(np.uint8)
        planes = planes.reshape(*flat.shape, -1).swapaxes(1, 2).reshape(len(part), -1)
        pixels = planes.reshape(len(part), -1, part.shape[2])
        return np.diff(pixels, axis=1, prepend=np.zeros_like(pixels[:, :1])).tobytes()
    return part.astype(part.dtype.newbyteorder(order)).tobytes()
