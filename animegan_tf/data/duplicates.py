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

    If both are the same dict: of earlier images in it. Identical files come before similar images.
    """
    paths, duplicates, by_digest = list(originals), [], {}
    bits = np.array([other.bits for other in originals.values()], np.uint64)
    for path, other in originals.items():
        by_digest.setdefault(other.digest, path)
    for number, (path, fingerprint) in enumerate(prints.items()):
        earlier = number if originals is prints else len(paths)
        original = by_digest.get(fingerprint.digest, path)
        if original != path:
            duplicates.append(Duplicate(path, original, True))
            continue
        near = quality.distances(fingerprint.bits, bits[:earlier]) <= _MOST_BITS
        for index in np.flatnonzero(near):
            if similar(originals[paths[index]].thumbnail, fingerprint.thumbnail):
                duplicates.append(Duplicate(path, paths[index], False))
                break
    return tuple(duplicates)
