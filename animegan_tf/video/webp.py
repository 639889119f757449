"""Frames of animated WebP files (Google, WebP Container Specification)."""

import io
import pathlib
import struct

import numpy as np
from PIL import Image

from animegan_tf import images, memory
from animegan_tf.errors import InputError
from animegan_tf.video.opening import check_size


class Animation:
    """An animated WebP file.

    Attributes:
        height, width: size of its frames.
        durations: duration of each in milliseconds.
    """

    def __init__(self, path):
        """Index the file. Raises `InputError` for other files and `OSError` for unreadable ones."""
        path = pathlib.Path(path)
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: expected an animated WebP, found a folder, device or pipe")
        data = memory.read_bytes(path)
        if data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8X" or len(data) < 30:
            raise InputError(f"{path}: expected an animated WebP, received something else")
        self.width, self.height = 1 + _three(data, 24), 1 + _three(data, 27)
        check_size(path, self.height, self.width)
        frames = [(place, size) for kind, place, size in _chunks(data) if kind == b"ANMF"]
        whole = [place + size for place, size in frames if place + size <= len(data)]
        if not whole:
            raise InputError(f"{path}: expected an animated WebP, received one without frames")
        self.durations = [_three(data, place + 12) for place, _ in frames[: len(whole)]]
        self._cut = len(frames) > len(whole)
        # The decoder accepts complete files only.
        end = whole[-1] + whole[-1] % 2
        self._data = b"RIFF" + struct.pack("<I", end - 8) + data[8:end].ljust(end - 8, b"\0")

    def frames(self):
        """Yield (uint8 RGB on white, milliseconds). Raises `InputError` at a damaged frame."""
        number = 0
        try:
            with Image.open(io.BytesIO(self._data), formats=["WEBP"]) as image:
                for number, milliseconds in enumerate(self.durations):
                    image.seek(number)
                    rgba = np.asarray(image.convert("RGBA"))
                    yield images.on_white(rgba[:, :, :3], rgba[:, :, 3]), milliseconds
        except (OSError, EOFError, ValueError, Image.DecompressionBombError) as error:
            raise InputError(f"damaged: frame {number + 1} cannot be decoded") from error
        if self._cut:
            raise InputError(f"cut short: the file ends in frame {len(self.durations) + 1}")


def set_length(path, milliseconds):
    """Let the last frame of the animation at `path` end at this time."""
    data = bytearray(pathlib.Path(path).read_bytes())
    places = [place + 12 for kind, place, _ in _chunks(data) if kind == b"ANMF"]
    if places:  # not if all frames are equal
        last = places.pop()
        begin = sum(_three(data, place) for place in places)
        data[last : last + 3] = max(1, milliseconds - begin).to_bytes(3, "little")
        pathlib.Path(path).write_bytes(data)


def _chunks(data):
    """Yield (kind, place of the content, size) of a file's RIFF chunks."""
    place = 12
    while place + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, place)
        yield kind, place + 8, size
        place += 8 + size + size % 2


def _three(data, place):
    return int.from_bytes(data[place : place + 3], "little")
