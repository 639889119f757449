"""The index of the frames in videos that training can use. No TensorFlow.

A video is sampled at equal intervals. Each sample time is mapped to the keyframe before it: the
first sample of a keyframe uses the keyframe itself, later ones the frame at their time. Such a
frame is a place; places that share a keyframe are a group. The first usable place of a group is
checked here, the others when they are read (`video_frames`). Only keyframes are decoded, and the
frames that follow unusable ones. Times are seconds from the first frame of a video.
"""

import collections
import dataclasses
import functools
from fractions import Fraction

import numpy as np
import tqdm

from animegan_tf.errors import InputError
from animegan_tf.extract import quality, scan
from animegan_tf.extract.quality import Bars
from animegan_tf.extract.videos import video_part
from animegan_tf.video.reader import Key, VideoInfo, VideoReader
from animegan_tf.video.timecode import list_videos

_COLOR_SIDE = 64
_cache = {}


@dataclasses.dataclass(frozen=True)
class Place:
    """A frame that is read by seeking to a keyframe and decoding forwards.

    Attributes:
        video: index of the video.
        key: the `Key` of the keyframe.
        offset: seconds after the keyframe; the place is the first frame at or after that time.
        base: index of the place to use if this one is unusable; its own index if it was checked.
    """

    video: int
    key: Key
    offset: Fraction
    base: int


@dataclasses.dataclass(frozen=True)
class IndexedVideo:
    """A video: its `info`, black `bars`, number of `places`, and `dropped`: {reason: number}."""

    info: VideoInfo
    bars: Bars
    places: int
    dropped: dict[str, int]

    @property
    def picture_size(self):
        """(height, width) without bars."""
        return self.bars.size_without(self.info)


@dataclasses.dataclass(frozen=True)
class VideoIndex:
    """The frames that training can read from videos.

    Attributes:
        videos: `IndexedVideo`s.
        places: `Place`s of all videos, by video and time.
        mean_rgb: mean of the channel means of the checked frames, 0..255.
    """

    videos: tuple[IndexedVideo, ...]
    places: tuple[Place, ...]
    mean_rgb: tuple[float, float, float]

    @functools.cached_property
    def groups(self):
        """Lists of the indices of places that share a keyframe, in order."""
        groups = collections.defaultdict(list)
        for number, place in enumerate(self.places):
            groups[place.video, place.key.stamp].append(number)
        return list(groups.values())


def look(config, progress=False) -> VideoIndex:
    """The `VideoIndex` of a `DataConfig` with the source "video", cached in the process.

    Raises `InputError` for a file that is not a video, is not seekable, or has no usable frame.
    """
    paths = list_videos(config.video)
    # Size and time detect a replaced file.
    states = tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in paths)
    options = config.video_every, config.video_start, config.video_end
    if (states, options) not in _cache:
        _cache.clear()
        _cache[states, options] = _look(paths, *options, progress)
    return _cache[states, options]


def _look(paths, every, start, end, progress):
    parts = {}
    for path in paths:  # open all before scanning the first, so that errors appear early
        with VideoReader(path) as reader:
            parts[path] = video_part(reader.info, start, end, "video_start", "video_end")
    videos, places, colors = [], [], []
    for path, part in parts.items():
        with VideoReader(path, threads="NONE") as reader:
            video = _Look(reader, *part, every, progress)
        places += [
            dataclasses.replace(place, video=len(videos), base=place.base + len(places))
            for place in video.places
        ]
        colors += video.colors
        videos.append(IndexedVideo(reader.info, video.bars, len(video.places), dict(video.dropped)))
    if not places:
        raise InputError(
            f"video: expected usable frames in {', '.join(map(str, paths))}, found "
            "only black, flat or damaged ones"
        )
    return VideoIndex(tuple(videos), tuple(places), tuple(map(float, np.mean(colors, axis=0))))


class _Look:
    """The scan of one video: `places`, `colors`, `dropped`, `bars`."""

    def __init__(self, reader, begin, end, every, progress):
        self._reader, self._begin = reader, Fraction(begin)
        self.places, self.colors, self.dropped = [], [], collections.Counter()
        length = reader.info.duration if end is None else min(end, reader.info.duration or end)
        if not length or reader.key(self._begin) is None:
            raise InputError(
                "video: expected a seekable video, received "
                f"{reader.info.path}; extract its frames with tools/extract_frames.py"
            )
        self.bars = scan.video_bars(reader, begin, end)
        groups = self._visit(Fraction(length) - self._begin, every)
        name = f"scanning {reader.info.path.name}"
        with tqdm.tqdm(groups.items(), name, unit="keyframe", disable=not progress) as bar:
            for number, (key, times) in enumerate(bar, 1):
                self._look_at(key, times, last=number == len(groups))

    def _visit(self, length, every):
        """{Key: sample times that it is the keyframe of}."""
        count = max(1, int(length / Fraction(every)))
        keys, groups = {}, {}
        for index in range(count):
            time = self._begin + length * (index + Fraction(1, 2)) / count
            key = self._reader.key(time)
            if key is not None:
                # Different `Key` objects of one keyframe have the same stamp.
                groups.setdefault(keys.setdefault(key.stamp, key), []).append(time)
        return groups

    def _look_at(self, key, times, last):
        """Add the places of one keyframe, from the first usable one on."""
        frames = self._reader.frames_from(key)
        first = frame = next(frames, None)
        if first is None:
            self.dropped[scan.DAMAGED] += len(times)
            return
        offsets = [max(time - first.time, Fraction(0)) for time in times]
        if first.time >= self._begin:
            offsets[0] = Fraction(0)
        # With inexact timestamps several times may lie before the frame: they are one place.
        offsets = sorted(set(offsets))
        base = None
        for offset in offsets:
            # The file may report a longer duration than it has.
            while frame is not None and frame.time < first.time + offset and (base is None or last):
                frame = next(frames, None)
            if frame is None:
                return
            if base is None:
                flaw = flaw_of(frame, self._reader.info, self.bars)
                if flaw is not None:
                    self.dropped[flaw] += 1
                    continue
                base = len(self.places)
                self.colors.append(frame.small(_COLOR_SIDE, _COLOR_SIDE).mean(axis=(0, 1)))
            self.places.append(Place(0, key, offset, base))


def flaw_of(frame, info, bars):
    """The flaw of a video frame (see `extract.quality.flaw`), or None."""
    if frame.damaged:
        return scan.DAMAGED
    return quality.flaw(scan.sample_picture(frame, info, bars))


def describe(video, every):
    """A sentence about an `IndexedVideo`."""
    dropped = ", ".join(f"{count} {reason}" for reason, count in video.dropped.items())
    bars = ", black bars removed" if video.bars else ""
    return (
        f"{video.info}: {video.places} frames, one every {every:g} s{bars}; "
        f"dropped: {dropped or 'none'}"
    )
