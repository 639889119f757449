"""Indexed training images, and a cache of decoded ones. No TensorFlow.

Images are uint8, RGB (height, width, 3) or gray (height, width).
"""

import threading

from animegan_tf import files
from animegan_tf.errors import InputError


class EncodedPictures:
    """Images that are stored as encoded image files.

    Args:
        items: `pathlib.Path`s or `tfrecords.Record`s; both have `read_bytes()`.
        size: if set, images that are not `size` square are an error.
        cache: a `PictureCache` for images that are not `kept_out` square; None for none.
        kept_out: side of images that are fast to decode and are not cached.
    """

    def __init__(self, items, size=None, cache=None, kept_out=None):
        self.items, self._size = items, size
        self._cache, self._kept_out = cache, kept_out

    def __len__(self):
        return len(self.items)

    def order(self, rng):
        """The order of the images in an epoch: a random permutation."""
        return rng.permutation(len(self.items))

    def color(self, index):
        """Image `index` in RGB. Raises `InputError` if it is damaged or has another size."""
        return self._decoded(index, files.decode_color)

    def gray(self, index):
        """Image `index` in gray, as OpenCV decodes it; raises like `color`."""
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
    """Decoded images in memory, up to `limit` bytes. Thread-safe.

    Nothing is evicted: each file is read once per epoch, so that evicting the oldest image would
    evict the one that is needed next.
    """

    def __init__(self, limit):
        self._limit = limit
        self._used = 0
        self._pictures = {}
        self._lock = threading.Lock()

    def get(self, key):
        """The image of `key`, or None."""
        return self._pictures.get(key)

    def put(self, key, picture):
        """Store `picture` if there is space."""
        picture.setflags(write=False)  # it is shared from now on
        with self._lock:
            if key not in self._pictures and self._used + picture.nbytes <= self._limit:
                self._pictures[key] = picture
                self._used += picture.nbytes
