"""Duplicate images: identical files, and images that look similar. No TensorFlow.

Images are similar if their perceptual hashes (`extract.quality.perceptual_hash`, 64 bits) differ in
few bits and the colours of their thumbnails agree everywhere. That finds images that were resized,
recompressed or made a little brighter, but not flipped or cropped ones.
"""

import dataclasses
import hashlib
import pathlib

import cv2
import numpy as np

from animegan_tf.extract import quality

# Largest number of different hash bits of similar images; unrelated images differ in about 32.
_MOST_BITS = 6
_THUMBNAIL = (8, 8)
# Largest difference anywhere in the thumbnails, levels of 0..255. It separates flat images, whose
# hashes are random.
_MOST_LEVELS = 24


@dataclasses.dataclass(frozen=True, eq=False)
class Fingerprint:
    """The compared properties of an image: digest of the file, perceptual hash, thumbnail."""

    digest: bytes
    bits: int
    thumbnail: np.ndarray


@dataclasses.dataclass(frozen=True)
class Duplicate:
    """`path` is a duplicate of `original`; `exact` if the files are identical."""

    path: pathlib.Path
    original: pathlib.Path
    exact: bool


def fingerprint(data, rgb):
    """The `Fingerprint` of a file's bytes and its image, uint8 RGB (H, W, 3)."""
    return Fingerprint(
        digest=hashlib.blake2b(data, digest_size=16).digest(),
        bits=quality.perceptual_hash(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)),
        thumbnail=cv2.resize(rgb, _THUMBNAIL, interpolation=cv2.INTER_AREA),
    )


def similar(thumbnail, other):
    """Whether two thumbnails have the same colours everywhere."""
    return np.abs(thumbnail.astype(np.int16) - other).max() <= _MOST_LEVELS


def find(prints, originals):
    """The `Duplicate`s in `prints` of images in `originals`, both {path: Fingerprint}.

    If both are the same dict: of earlier images in it.
    """
    index, itself, duplicates = _Index(len(originals)), originals is prints, []
    for path, fingerprint in () if itself else originals.items():
        index.add(path, fingerprint)
    for path, fingerprint in prints.items():
        duplicates.append(index.find(path, fingerprint))
        if itself:
            index.add(path, fingerprint)
    return tuple(filter(None, duplicates))


class _Index:
    """A searchable index of up to `capacity` images."""

    def __init__(self, capacity):
        self._by_digest, self._paths = {}, []
        self._bits = np.zeros(capacity, np.uint64)
        self._thumbnails = np.zeros((capacity, *_THUMBNAIL, 3), np.int16)

    def add(self, path, fingerprint):
        count = len(self._paths)
        self._by_digest.setdefault(fingerprint.digest, path)
        self._bits[count], self._thumbnails[count] = fingerprint.bits, fingerprint.thumbnail
        self._paths.append(path)

    def find(self, path, fingerprint):
        """`path` as a `Duplicate` of an image in the index, preferably an exact one; or None."""
        if fingerprint.digest in self._by_digest:
            return Duplicate(path, self._by_digest[fingerprint.digest], True)
        bits = quality.distances(fingerprint.bits, self._bits[: len(self._paths)])
        for index in np.flatnonzero(bits <= _MOST_BITS):
            if similar(self._thumbnails[index], fingerprint.thumbnail):
                return Duplicate(path, self._paths[index], False)
        return None
