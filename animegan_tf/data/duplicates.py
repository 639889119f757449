"""The same picture twice: copies byte by byte, and pictures that look alike. No TensorFlow.

Alike means that the perceptual hashes (`frame_quality.perceptual_hash`, 64 bits) differ in few bits
and that the colours of thumbnails agree everywhere: a picture resized, compressed anew or a little
brighter. A mirrored or cropped one is not found, the same view with a figure before it is another.
"""

import dataclasses
import hashlib
import pathlib

import cv2
import numpy as np

from animegan_tf.extract import quality

# Bits in which the hashes of alike pictures may differ, unlike ones differ in about 32.
_MOST_BITS = 6
_THUMBNAIL = (8, 8)
# The largest difference anywhere in the thumbnails, levels of 0..255. It is the colours that tell
# flat pictures apart, whose hashes mean nothing.
_MOST_LEVELS = 24


@dataclasses.dataclass(frozen=True, eq=False)
class Fingerprint:
    """What is compared of a picture: of its bytes, of its light and dark, of its colours."""

    digest: bytes
    bits: int
    thumbnail: np.ndarray


@dataclasses.dataclass(frozen=True)
class Duplicate:
    """`path` shows what `original` shows; `exact` when their bytes are the same."""

    path: pathlib.Path
    original: pathlib.Path
    exact: bool


def fingerprint(data, rgb):
    """The `Fingerprint` of a file's bytes and of the picture in it, uint8 RGB (H, W, 3)."""
    return Fingerprint(
        digest=hashlib.blake2b(data, digest_size=16).digest(),
        bits=quality.perceptual_hash(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)),
        thumbnail=cv2.resize(rgb, _THUMBNAIL, interpolation=cv2.INTER_AREA),
    )


def within(prints):
    """The pictures of {path: Fingerprint} that an earlier one shows already, a `Duplicate` each."""
    index = _Index(len(prints))
    found = []
    for path, one in prints.items():
        found.append(index.find(path, one))
        index.add(path, one)
    return tuple(duplicate for duplicate in found if duplicate is not None)


def between(prints, originals):
    """The pictures of one {path: Fingerprint} that are among another's, a `Duplicate` each."""
    index = _Index(len(originals))
    for path, one in originals.items():
        index.add(path, one)
    found = [index.find(path, one) for path, one in prints.items()]
    return tuple(duplicate for duplicate in found if duplicate is not None)


class _Index:
    """Pictures to look others up in."""

    def __init__(self, room):
        self._by_digest, self._paths = {}, []
        self._bits = np.zeros(room, np.uint64)
        self._thumbnails = np.zeros((room, *_THUMBNAIL, 3), np.int16)

    def add(self, path, one):
        count = len(self._paths)
        self._by_digest.setdefault(one.digest, path)
        self._bits[count], self._thumbnails[count] = one.bits, one.thumbnail
        self._paths.append(path)

    def find(self, path, one):
        """The `Duplicate` that `path` is of a picture added before, an exact one first; or None."""
        if one.digest in self._by_digest:
            return Duplicate(path, self._by_digest[one.digest], True)
        bits = quality.distances(one.bits, self._bits[: len(self._paths)])
        for at in np.flatnonzero(bits <= _MOST_BITS):
            if np.abs(self._thumbnails[at] - one.thumbnail).max() <= _MOST_LEVELS:
                return Duplicate(path, self._paths[at], False)
        return None
