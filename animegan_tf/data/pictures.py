"""Numbered pictures that training draws its samples from, and the memory for decoded ones.

Pictures are uint8, RGB (height, width, 3) or gray (height, width). No TensorFlow.
"""

import threading

from animegan_tf import files
from animegan_tf.errors import InputError


class EncodedPictures:
    """Pictures that are stored as the bytes of picture files.

    Args:
        items: a `pathlib.Path` or `tfrecords.Record` each: they have `read_bytes()` and a name.
        size: where it is given, what else than `size` square is refused.
        cache: a `PictureCache` for pictures that are not `kept_out` square; None for none.
        kept_out: side of pictures that decode in no time; memory is for the others.
    """

    def __init__(self, items, size=None, cache=None, kept_out=None):
        self.items, self._size = items, size
        self._cache, self._kept_out = cache, kept_out

    def __len__(self):
        return len(self.items)

    def order(self, rng):
        """The order of the pictures in an epoch: a permutation, drawn from `rng`."""
        return rng.permutation(len(self.items))

    def color(self, index):
        """Picture `index` in colour. Raises `InputError` when it is damaged or of another size."""
        return self._decoded(index, files.decode_color)

    def gray(self, index):
        """Picture `index` in gray, as OpenCV decodes it; raises like `color`."""
        return self._decoded(index, files.decode_gray)

    def _decoded(self, index, decode):
        item = self.items[index]
        key = (item, decode)
        picture = None if self._cache is None else self._cache.get(key)
        if picture is not None:
            return picture
        picture = decode(item.read_bytes(), item)
        height, width = picture.shape[:2]
        if self._size is not None and (height, width) != (self._size, self._size):
            raise InputError(
                f"{item} is {width}x{height}: with crop='none' it must be "
                f"{self._size}x{self._size} (crop='random' or 'center' takes other sizes)"
            )
        if self._cache is not None and (height, width) != (self._kept_out, self._kept_out):
            self._cache.put(key, picture)
        return picture


class PictureCache:
    """Decoded pictures in memory, up to a number of bytes. Safe to use from many threads.

    It fills up and then keeps what it has: with every file visited once per epoch, throwing out the
    oldest would throw out the one that comes next, and hit next to nothing.
    """

    def __init__(self, limit):
        self._limit = limit
        self._used = 0
        self._pictures = {}
        self._lock = threading.Lock()

    def get(self, key):
        """The picture of `key`, or None."""
        return self._pictures.get(key)

    def put(self, key, picture):
        """Keep `picture` if it fits."""
        picture.setflags(write=False)  # it is shared from here on
        with self._lock:
            if key not in self._pictures and self._used + picture.nbytes <= self._limit:
                self._pictures[key] = picture
                self._used += picture.nbytes
