"""Training images directly from videos: frames by index, read by seeking. No TensorFlow.

A frame depends only on the videos and its index: decoding starts at its keyframe (`video_index`).
For speed, all frames after a keyframe are decoded together; an epoch interleaves a few keyframes,
whose frames stay in memory meanwhile. Images are uint8, RGB (height, width, 3) or gray
(height, width).
"""

import functools
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

# Number of keyframes that an epoch interleaves, and of those whose frames are kept: two streams
# read ahead. Of frames far after a keyframe only some are decoded together.
_LANES, _KEPT, _TOGETHER = 4, 16, 32
# Number of videos that are open at once.
_READERS = 8


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
        self._cache = cache
        self._parts = {
            number: tuple(group[start : start + _TOGETHER])
            for group in index.groups
            for start in range(0, len(group), _TOGETHER)
            for number in group[start : start + _TOGETHER]
        }
        self._read = functools.lru_cache(_KEPT)(self._read_part)
        self._locks = [threading.Lock() for _ in range(_READERS)]

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
            part = self._parts[number]
            with self._locks[part[0] % _READERS]:  # other threads wait for the same frames
                picture = self._read(part)[number]
            if picture is None:
                picture = self.color(self.index.places[number].base)
            if self._cache is not None:
                self._cache.put(key, picture)
        return picture

    def gray(self, number):
        """Frame `number` in gray."""
        return cv2.cvtColor(self.color(number), cv2.COLOR_RGB2GRAY)

    def smoothed(self):
        """The same frames with smoothed edges, in gray only."""
        return _Smoothed(self)

    def _read_part(self, numbers):
        """{number: image, or None if it is unusable} of places with the same keyframe, by time."""
        key, pictures = self.index.places[numbers[0]].key, {}
        video = self.index.videos[self.index.places[numbers[0]].video]
        # Several threads read at once: each decodes by itself.
        with VideoReader(video.info.path, threads="NONE") as reader:
            frames = reader.frames_from(key)
            first = frame = next(frames, None)
            for number in numbers:
                place, picture = self.index.places[number], None
                while frame is not None and frame.time < first.time + place.offset:
                    frame = next(frames, None)
                checked = place.base == number
                if frame is None and checked:
                    raise InputError(f"{video.info.path} changed since training began")
                if frame is not None and (
                    checked or not video_index.flaw_of(frame, video.info, video.bars)
                ):
                    picture = self._scaled(reader.deinterlaced(frame).rgb(), video)
                    picture.setflags(write=False)  # it is shared from now on
                pictures[number] = picture
        return pictures

    def _scaled(self, picture, video):
        """A frame of an `IndexedVideo` without its bars, scaled, with crop="none" also cropped."""
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
    """The integers of lists in turn, of `lanes` lists at a time, as an array."""
    bundles = (groups[start : start + lanes] for start in range(0, len(groups), lanes))
    turns = itertools.chain.from_iterable(itertools.zip_longest(*bundle) for bundle in bundles)
    return np.array([number for turn in turns for number in turn if number is not None])
