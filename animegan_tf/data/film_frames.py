"""Training pictures straight from films: numbered frames, read by seeking. No TensorFlow.

A frame is a pure function of the films and its number, whatever was read before: decoding begins at
the key frame of its place (`film_index`). What makes it fast changes no picture: a few readers stay
where they are, the order of an epoch goes through several groups of frames side by side, so that a
reader goes on decoding for the next frame of its group, and decoded pictures are kept in memory.
Pictures are uint8, RGB (height, width, 3) or gray (height, width).
"""

import collections
import contextlib
import itertools
import math
import threading

import cv2
import numpy as np

from animegan_tf import images
from animegan_tf.data import film_index
from animegan_tf.data.smoothing import smooth_edges
from animegan_tf.errors import InputError
from animegan_tf.extract import quality
from animegan_tf.extract.films import scaled_size
from animegan_tf.video.reader import VideoReader

# Groups that an epoch goes through side by side, and films that are open at once: for two streams.
_LANES = 4
_READERS = 2 * _LANES


class FilmFrames:
    """The frames of a `film_index.FilmIndex` as training takes them. Safe in many threads.

    A frame is freed of bars and scaled so that its short side is what the largest window of the
    `DataConfig` takes. With `crop="none"` it is the square of it that has the most detail, as frame
    extraction cuts it.

    Args:
        index: the `FilmIndex`.
        config: the `DataConfig`.
        cache: a `PictureCache`, or None.
    """

    def __init__(self, index, config, cache=None):
        self.index = index
        self._square = config.image_size if config.crop == "none" else None
        self._short_side = math.ceil(config.image_size / config.scale[0])
        self._least = config.image_size
        self._cache, self._readers = cache, _Readers(index.films)

    def __len__(self):
        return len(self.index.places)

    def size(self, film):
        """(height, width) of the pictures of an `IndexedFilm`."""
        if self._square:
            return self._square, self._square
        height, width = film.picture_size
        side = max(self._least, min(self._short_side, height, width))
        return scaled_size(height, width, side)

    def order(self, rng):
        """The order of the frames in an epoch: a permutation, drawn from `rng`."""
        groups = self.index.groups
        return interleave([groups[number] for number in rng.permutation(len(groups))], _LANES)

    def color(self, number):
        """Frame `number` in colour; the base of its group where it is black, flat or damaged.

        Raises `InputError` when it is not found again: the film was changed.
        """
        key = (FilmFrames, number)
        picture = None if self._cache is None else self._cache.get(key)
        if picture is None:
            place = self.index.places[number]
            picture = self._read(place, checked=place.base == number)
            if picture is None:
                picture = self.color(place.base)
            if self._cache is not None:
                self._cache.put(key, picture)
        return picture

    def gray(self, number):
        """Frame `number` in gray."""
        return cv2.cvtColor(self.color(number), cv2.COLOR_RGB2GRAY)

    def smoothed(self):
        """The same frames with smoothed edges, in gray alone."""
        return _Smoothed(self)

    def _read(self, place, checked):
        """The picture of a place, or None where it is not usable."""
        film = self.index.films[place.film]
        with self._readers.lease(place) as reader:
            frame = reader.frame(place)
            if frame is None:
                if checked:
                    raise InputError(f"{film.info.path} changed since training began")
                return None
            if not checked and film_index.flaw_of(frame, film.info, film.bars):
                return None
            picture = reader.deinterlaced(frame).rgb()
        picture = film.bars.cut(picture, film.info.height, film.info.width)
        if not self._square:
            return images.resize(picture, *self.size(film))
        size = self._square
        picture = images.resize(picture, *scaled_size(*film.picture_size, size))
        gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        ((top, left),) = quality.place_crops(gray, size, 1)
        return np.ascontiguousarray(picture[top : top + size, left : left + size])


class _Smoothed:
    """The edge-smoothed companions of `FilmFrames`, made when they are asked for."""

    def __init__(self, frames):
        self._frames = frames
        self.order = frames.order

    def __len__(self):
        return len(self._frames)

    def gray(self, number):
        """Frame `number`, smoothed, in gray."""
        color = self._frames.color(number)
        gray = cv2.cvtColor(color, cv2.COLOR_RGB2GRAY)
        return cv2.cvtColor(smooth_edges(color, None, gray), cv2.COLOR_RGB2GRAY)


def interleave(groups, lanes):
    """The members of lists, from `lanes` of them in turn; a list that ends makes room for the next.

    Returns an integer array.
    """
    waiting = iter(groups)
    active = collections.deque(iter(group) for group in itertools.islice(waiting, lanes))
    order = []
    while active:
        lane = active.popleft()
        number = next(lane, None)
        if number is not None:
            order.append(number)
            active.append(lane)
        else:
            following = next(waiting, None)
            if following is not None:
                active.appendleft(iter(following))
    return np.array(order)


class _Readers:
    """Open films, a few; each is used by one thread at a time."""

    def __init__(self, films):
        self._films = films
        self._idle, self._open = [], 0  # the longest idle first
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def lease(self, place):
        """A `_Reader`, at best one that is on its way to `place`; waits when all are in use."""
        with self._changed:
            while True:
                reader = next((one for one in self._idle if one.leads_to(place)), None)
                if reader is None and self._open < _READERS:
                    reader = _Reader(self._films)
                    self._open += 1
                    break
                if reader is None and self._idle:
                    # Those used last are in the middle of groups that the order comes back to.
                    others = self._idle[:-_LANES] or self._idle
                    same_film = (one for one in others if one.film == place.film)
                    reader = next(same_film, others[0])
                if reader is not None:
                    self._idle.remove(reader)
                    break
                self._changed.wait()
        try:
            yield reader
        except BaseException:
            reader.close()
            raise
        finally:
            with self._changed:
                self._idle.append(reader)
                self._changed.notify()


class _Reader:
    """One open film and where it is; `film` is which of them, or None."""

    def __init__(self, films):
        self._films = films
        self.film, self._reader = None, None
        self._key, self._first, self._frame, self._frames = None, None, None, iter(())

    def leads_to(self, place):
        """Whether decoding on comes to the frame of `place`."""
        if place.film != self.film or place.key != self._key or self._frame is None:
            return False
        return self._frame.time <= self._first + place.offset

    def frame(self, place):
        """The frame of a `Place`, interlaced as stored; None where there is none."""
        if place.film != self.film:
            self.close()
            # Several readers are used at once: each decodes in its caller's thread.
            self._reader = VideoReader(self._films[place.film].info.path, threads="NONE")
            self.film = place.film
        if not self.leads_to(place):
            self._key, self._frames = place.key, self._reader.frames_from(place.key)
            self._frame = next(self._frames, None)
            if self._frame is None:
                return None
            self._first = self._frame.time
        while self._frame is not None and self._frame.time < self._first + place.offset:
            self._frame = next(self._frames, None)
        return self._frame

    def deinterlaced(self, frame):
        """`VideoReader.deinterlaced` of the film that is open."""
        return self._reader.deinterlaced(frame)

    def close(self):
        """Close the film."""
        if self._reader is not None:
            self._reader.close()
        self.film, self._reader, self._frame = None, None, None
