"""Frames of animated WebP files, one at a time (Google, WebP Container Specification)."""

import pathlib
import struct

import cv2
import numpy as np

from animegan_tf.errors import InputError
from animegan_tf.video.opening import check_size

_ALPHA = 0x10
_DISPOSE, _REPLACE = 0x01, 0x02


class Animation:
    """An animated WebP file.

    Attributes:
        height, width: of its frames.
        durations: milliseconds for which each is shown.
    """

    def __init__(self, path):
        """Look through the file. Raises `InputError` when it is none, `OSError` if unreadable."""
        self._path = pathlib.Path(path)
        if self._path.exists() and not self._path.is_file():
            raise InputError(f"{path}: expected an animated WebP, found a folder, device or pipe")
        self._frames, self.durations = [], []
        with self._path.open("rb") as file:
            start = file.read(30)
            if start[:4] != b"RIFF" or start[8:16] != b"WEBPVP8X" or len(start) < 30:
                raise InputError(f"{path}: expected an animated WebP, received something else")
            self.width, self.height = 1 + _three(start, 24), 1 + _three(start, 27)
            check_size(path, self.height, self.width)
            for kind, place, size in _chunks(file, 12):
                if kind == b"ANMF":
                    file.seek(place)
                    header = file.read(16)
                    if len(header) == 16:
                        self._frames.append((place, size))
                        self.durations.append(_three(header, 12))
        if not self._frames:
            raise InputError(f"{path}: expected an animated WebP, received one without frames")

    def frames(self):
        """Yield (uint8 RGB, milliseconds), on white. Raises `InputError` where it is damaged."""
        canvas = np.zeros((self.height, self.width, 4), np.uint8)
        with self._path.open("rb") as file:
            for number, (place, size) in enumerate(self._frames, 1):
                file.seek(place)
                data = file.read(size)
                if len(data) < size:
                    raise InputError(f"cut short: the file ends in frame {number}")
                left, top = 2 * _three(data, 0), 2 * _three(data, 3)
                width, height = 1 + _three(data, 6), 1 + _three(data, 9)
                part = canvas[top : top + height, left : left + width]
                if part.shape[:2] != (height, width):
                    raise InputError(f"damaged: frame {number} is larger than the picture")
                picture = _decoded(data[16:], height, width)
                if picture is None:
                    raise InputError(f"damaged: frame {number} cannot be decoded")
                if picture.shape[2] == 3:
                    part[:, :, :3], part[:, :, 3] = picture[:, :, ::-1], 255
                else:
                    _put(part, cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA), data[15] & _REPLACE)
                yield on_white(canvas), _three(data, 12)
                if data[15] & _DISPOSE:
                    part[:] = 0


def set_length(path, milliseconds):
    """Make the last frame of the animation at `path` end at that time."""
    with open(path, "r+b") as file:
        begin, shown, last = 0, 0, None
        for kind, place, _ in _chunks(file, 12):
            if kind == b"ANMF":
                file.seek(place)
                begin, last = begin + shown, place
                shown = _three(file.read(16), 12)
        if last is not None:
            file.seek(last + 12)
            file.write(_bytes(max(1, milliseconds - begin)))


def on_white(rgba):
    """uint8 RGBA (H, W, 4) laid on white: uint8 (H, W, 3)."""
    alpha = rgba[:, :, 3:].astype(np.uint16)
    if (alpha == 255).all():
        return np.ascontiguousarray(rgba[:, :, :3])
    return ((rgba[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _put(part, rgba, replace):
    """Lay a picture with alpha over a part of the canvas, or put it there."""
    if replace:
        part[:] = rgba
        return
    above = rgba[:, :, 3:].astype(np.float32) / 255
    below = part[:, :, 3:].astype(np.float32) / 255 * (1 - above)
    total = above + below
    colour = rgba[:, :, :3] * above + part[:, :, :3] * below
    part[:, :, :3] = np.rint(colour / np.maximum(total, 1e-6))
    part[:, :, 3:] = np.rint(total * 255)


def _chunks(file, place):
    """Yield (kind, place of the content, size) of RIFF chunks from `place` on."""
    while True:
        file.seek(place)
        header = file.read(8)
        if len(header) < 8:
            return
        kind, size = struct.unpack("<4sI", header)
        yield kind, place + 8, size
        place += 8 + size + size % 2


def _decoded(chunks, height, width):
    """BGR or BGRA of a frame's chunks (ALPH, VP8 or VP8L); None unless they are of that size."""
    picture = chunks
    if chunks[:4] == b"ALPH":
        start = 8 + int.from_bytes(chunks[4:8], "little")
        picture = chunks[start + start % 2 :]
        flags = struct.pack("<I", _ALPHA) + _bytes(width - 1) + _bytes(height - 1)
        chunks = b"VP8X" + struct.pack("<I", 10) + flags + chunks
    # Before it is decoded, which takes memory for the size that it says.
    if _dimensions(picture) != (width, height):
        return None
    data = b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.ndim != 3 or decoded.shape[:2] != (height, width):
        return None
    return decoded


def _dimensions(chunk):
    """(width, height) that a VP8 chunk (RFC 6386, 9.1) or VP8L chunk says, None for another."""
    if chunk[:4] == b"VP8L" and len(chunk) >= 13:
        bits = int.from_bytes(chunk[9:13], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk[:4] == b"VP8 " and len(chunk) >= 18:
        width, height = struct.unpack_from("<HH", chunk, 14)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _three(data, place):
    return int.from_bytes(data[place : place + 3], "little")


def _bytes(number):
    return number.to_bytes(3, "little")
