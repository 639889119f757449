"""Training images directly from videos: frames by index, read by seeking. No TensorFlow.

A frame depends only on the videos and its index: decoding starts at its keyframe (`video_index`).
For speed, a few readers keep their positions; an epoch interleaves several groups of frames, so
that a reader often only decodes on to the next frame of its group; and decoded images are cached.
Images are uint8, RGB (height, width, 3) or gray (height, width).
"""

import collections
import contextlib
import itertools
import math
import threading

import cv2
import numpy as np

from animegan_tf import images
from animegan_tf.data import video_index
from animegan_tf.data.smoothing import smooth_edges
from animegan_tf.errors import InputError
from animegan_tf.extract import quality
from animegan_tf.extract.videos import scaled_size
from animegan_tf.video.reader import VideoReader

# Number of groups that an epoch interleaves, and of open readers (for two streams).
_LANES = 4
_READERS = 2 * _LANES


class VideoFrames:
    """The frames of a `video_index.VideoIndex` as training images. Thread-safe.

    Black bars are removed, and frames are scaled so that the short side fits the largest window of
    the `DataConfig`. With `crop="none"` a frame is cropped to the square with the most detail, as
    in frame extraction.

    Args:
        index: the `VideoIndex`.
        config: the `DataConfig`.
        cache: a `PictureCache`, or None.
    """

    def __init__(self, index, config, cache=None):
        self.index = index
        self._square = config.image_size if config.crop == "none" else None
        self._short_side = math.ceil(config.image_size / config.scale[0])
        self._min_side = config.image_size
        self._cache, self._readers = cache, _Readers(index.videos)

    def __len__(self):
        return len(self.index.places)

    def size(self, video):
        """(height, width) of the images of an `IndexedVideo`."""
        if self._square:
            return self._square, self._square
        height, width = video.picture_size
        side = max(self._min_side, min(self._short_side, height, width))
        return scaled_size(height, width, side)

    def order(self, rng):
        """The order of the frames in an epoch: a random permutation."""
        groups = self.index.groups
        return interleave([groups[number] for number in rng.permutation(len(groups))], _LANES)

    def color(self, number):
        """Frame `number` in RGB; if it is black, flat or damaged, the base frame of its group.

        Raises `InputError` if the frame is missing because the video has changed.
        """
        key = (VideoFrames, number)
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
        """The same frames with smoothed edges, in gray only."""
        return _Smoothed(self)

    def _read(self, place, checked):
        """The image of a place, or None if it is unusable."""
        video = self.index.videos[place.video]
        with self._readers.lease(place) as reader:
            frame = reader.frame(place)
            if frame is None:
                if checked:
                    raise InputError(f"{video.info.path} changed since training began")
                return None
            if not checked and video_index.flaw_of(frame, video.info, video.bars):
                return None
            picture = reader.deinterlaced(frame).rgb()
        picture = video.bars.cut(picture, video.info.height, video.info.width)
        if not self._square:
            return images.resize(picture, *self.size(video))
        size = self._square
        picture = images.resize(picture, *scaled_size(*video.picture_size, size))
        gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        ((top, left),) = quality.place_crops(gray, size, 1)
        return np.ascontiguousarray(picture[top : top + size, left : left + size])


class _Smoothed:
    """The edge-smoothed counterparts of `VideoFrames`, computed on demand."""

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
    """Interleave lists of integers, `lanes` at a time; the next one replaces a finished list.

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
    """A pool of open videos; each is used by one thread at a time."""

    def __init__(self, videos):
        self._videos = videos
        self._idle, self._open = [], 0  # least recently used first
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def lease(self, place):
        """Borrow a reader, preferably one about to reach `place`; blocks while all are busy."""
        with self._changed:
            while True:
                reader = next((idle for idle in self._idle if idle.leads_to(place)), None)
                if reader is None and self._open < _READERS:
                    reader = _Reader(self._videos)
                    self._open += 1
                    break
                if reader is None and self._idle:
                    # The readers used last are needed again for the groups being interleaved.
                    others = self._idle[:-_LANES] or self._idle
                    same_video = (other for other in others if other.video == place.video)
                    reader = next(same_video, others[0])
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
    """An open video and its position; `video` is the index of the video, or None."""

    def __init__(self, videos):
        self._videos = videos
        self.video, self._reader = None, None
        self._key, self._first, self._frame, self._frames = None, None, None, iter(())

    def leads_to(self, place):
        """Whether the frame of `place` is reached by decoding forwards."""
        if place.video != self.video or place.key != self._key or self._frame is None:
            return False
        return self._frame.time <= self._first + place.offset

    def frame(self, place):
        """The frame of a `Place`, not deinterlaced; None if there is none."""
        if place.video != self.video:
            self.close()
            # Several readers work in parallel: each decodes in its caller's thread.
            self._reader = VideoReader(self._videos[place.video].info.path, threads="NONE")
            self.video = place.video
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
        """`VideoReader.deinterlaced` of the open video."""
        return self._reader.deinterlaced(frame)

    def close(self):
        """Close the video."""
        if self._reader is not None:
            self._reader.close()
        self.video, self._reader, self._frame = None, None, None
