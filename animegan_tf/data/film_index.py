"""Which frames of films training can draw from, found before it begins. No TensorFlow.

A film is visited at even steps: each visit goes to the key frame before it, and that frame, or for
later visits that end at the same key frame the one at their time, is a place. Places that share a
key frame are a group, whose first usable place is looked at here; of the others that is done when
they are read (`film_frames`). Only key frames are decoded, and what follows them where they are
black. Times are seconds from a film's first frame.
"""

import collections
import dataclasses
import functools
from fractions import Fraction

import numpy as np
import tqdm

from animegan_tf.errors import InputError
from animegan_tf.extract import quality, scan
from animegan_tf.extract.films import film_part
from animegan_tf.extract.quality import Bars
from animegan_tf.video.reader import Key, VideoInfo, VideoReader
from animegan_tf.video.timecode import list_videos

_COLOR_SIDE = 64
_looked = {}


@dataclasses.dataclass(frozen=True)
class Place:
    """A frame that is read by going to a key frame and decoding on.

    Attributes:
        film: which of the films.
        key: the `Key` of the key frame.
        offset: seconds from the key frame's time; the first frame not before that is meant.
        base: number of the place to use when this one shows nothing usable; its own when it was
            looked at.
    """

    film: int
    key: Key
    offset: Fraction
    base: int


@dataclasses.dataclass(frozen=True)
class IndexedFilm:
    """One film: its `info`, its `bars`, how many places it has and lost: {reason: number}."""

    info: VideoInfo
    bars: Bars
    places: int
    dropped: dict[str, int]

    @property
    def picture_size(self):
        """(height, width) without bars."""
        bars, info = self.bars, self.info
        return info.height - bars.top - bars.bottom, info.width - bars.left - bars.right


@dataclasses.dataclass(frozen=True)
class FilmIndex:
    """What training can read from films.

    Attributes:
        films: `IndexedFilm`s.
        places: `Place`s of all films, by film and time.
        mean_rgb: mean of the channel means of the frames that were looked at, 0..255.
    """

    films: tuple[IndexedFilm, ...]
    places: tuple[Place, ...]
    mean_rgb: tuple[float, float, float]

    @functools.cached_property
    def groups(self):
        """Lists of the numbers of places that share a key frame, in order."""
        groups = collections.defaultdict(list)
        for number, place in enumerate(self.places):
            groups[place.film, place.key.stamp].append(number)
        return list(groups.values())


def look(config, progress=False) -> FilmIndex:
    """The `FilmIndex` of a `DataConfig` with the source "video"; made once in a process.

    Raises `InputError` for what is no film, cannot be sought, or has no usable frame.
    """
    paths = list_videos(config.video)
    # A film that was replaced is another one.
    states = tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in paths)
    asked = config.video_every, config.video_start, config.video_end
    if (states, asked) not in _looked:
        _looked.clear()
        _looked[states, asked] = _look(paths, *asked, progress)
    return _looked[states, asked]


def _look(paths, every, start, end, progress):
    parts = {}
    for path in paths:  # all are opened before the first is looked at
        with VideoReader(path) as reader:
            parts[path] = film_part(reader.info, start, end, "video_start", "video_end")
    films, places, colors = [], [], []
    for path, part in parts.items():
        with VideoReader(path, threads="NONE") as reader:
            film = _Look(reader, *part, every, progress)
        places += [
            dataclasses.replace(place, film=len(films), base=place.base + len(places))
            for place in film.places
        ]
        colors += film.colors
        films.append(IndexedFilm(reader.info, film.bars, len(film.places), dict(film.dropped)))
    if not places:
        raise InputError(
            f"video: expected usable frames in {', '.join(map(str, paths))}, found "
            "black, flat or damaged ones only"
        )
    return FilmIndex(tuple(films), tuple(places), tuple(map(float, np.mean(colors, axis=0))))


class _Look:
    """What one film has: `places`, `colors`, `dropped`, `bars`."""

    def __init__(self, reader, begin, end, every, progress):
        self._reader, self._begin = reader, Fraction(begin)
        self.places, self.colors, self.dropped = [], [], collections.Counter()
        length = reader.info.duration if end is None else min(end, reader.info.duration or end)
        if not length or reader.key(self._begin) is None:
            raise InputError(
                f"video: expected a film in which frames can be sought, received "
                f"{reader.info.path}; extract its frames with tools/extract_frames.py"
            )
        self.bars = scan.film_bars(reader, begin, end)
        groups = self._visit(Fraction(length) - self._begin, every)
        name = f"looking at {reader.info.path.name}"
        with tqdm.tqdm(groups.items(), name, unit="key frame", disable=not progress) as bar:
            for number, (key, times) in enumerate(bar, 1):
                self._look_at(key, times, last=number == len(groups))

    def _visit(self, length, every):
        """{Key: times that lead to it}."""
        count = max(1, int(length / Fraction(every)))
        keys, groups = {}, {}
        for index in range(count):
            time = self._begin + length * (index + Fraction(1, 2)) / count
            key = self._reader.key(time)
            if key is not None:
                # Several visits may end at one key frame: it is known by the first of them.
                groups.setdefault(keys.setdefault(key.stamp, key), []).append(time)
        return groups

    def _look_at(self, key, times, last):
        """Add the places of one key frame, from the first usable one on."""
        frames = self._reader.frames_from(key)
        first = frame = next(frames, None)
        if first is None:
            self.dropped[scan.DAMAGED] += len(times)
            return
        offsets = [max(time - first.time, Fraction(0)) for time in times]
        if first.time >= self._begin:
            offsets[0] = Fraction(0)
        # Visits before it, where time stamps are inexact, are one.
        offsets = sorted(set(offsets))
        base = None
        for offset in offsets:
            # The file may say that the film is longer than it is.
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
    """What is wrong with a frame of a film (see `frame_quality.flaw`), or None."""
    if frame.damaged:
        return scan.DAMAGED
    return quality.flaw(scan.sample_picture(frame, info, bars))


def describe(film, every):
    """A sentence about an `IndexedFilm`."""
    dropped = ", ".join(f"{count} {reason}" for reason, count in film.dropped.items())
    bars = ", black bars cut" if film.bars else ""
    return (
        f"{film.info}: {film.places} frames, one every {every:g} s{bars}; "
        f"dropped: {dropped or 'none'}"
    )
