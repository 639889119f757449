"""The film that is stylised: its frames as stored, turned upright, and what to say about them."""

import contextlib
import dataclasses
import pathlib
from fractions import Fraction

import av
import numpy as np

from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.images import formats
from animegan_tf.video import webp
from animegan_tf.video.container import open_film
from animegan_tf.video.frame import Converter, Orientation
from animegan_tf.video.reader import VideoReader
from animegan_tf.video.timecode import timecode

# FFmpeg's scaler: bicubic, rounded rather than truncated, chroma at full resolution.
PRECISE = 0x4 | 0x40000 | 0x2000 | 0x4000
# ITU-T H.273: matrix coefficients, and FFmpeg's name of those for `reformat`.
_MATRICES = {
    1: "itu709", 4: "fcc", 5: "itu601", 6: "itu601", 7: "smpte240m", 9: "bt2020",
}  # fmt: skip
_BT709, _SMPTE170M = 1, 6
_LIMITED, _FULL = 1, 2
# A film whose last frame is this much before its declared end, in seconds, and a twentieth of the
# film, is cut short: its sound may be a little longer.
_MISSING = 3


@dataclasses.dataclass(frozen=True)
class Colours:
    """How RGB becomes the numbers in a file, in the terms of ITU-T H.273 (`range`: FFmpeg's)."""

    matrix: int = _SMPTE170M
    range: int = _LIMITED
    primaries: int = 2
    transfer: int = 2

    @property
    def matrix_name(self):
        """FFmpeg's name for the scaler."""
        return _MATRICES[self.matrix]


@dataclasses.dataclass(frozen=True)
class SourceFrame:
    """`time` from the film's first frame and `duration` in seconds; `rgb`, upright."""

    time: Fraction
    duration: Fraction
    rgb: np.ndarray


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a film is.

    Attributes:
        path: its file.
        height, width: of its frames, upright.
        aspect: width to height of one of its pixels, upright.
        rate: frames per second on average, or None.
        duration: seconds, as the file says, or None.
        tick: what its time stamps are multiples of, in seconds.
        origin: the time stamp of its first frame, in seconds.
        begin: the earliest time stamp of all streams, in seconds and a multiple of the tick, but
            none before 0.
        colours: the `Colours` to write results with.
        notes: what the user should know, a sentence each.
    """

    path: pathlib.Path
    height: int
    width: int
    aspect: Fraction
    rate: Fraction | None
    duration: float | None
    tick: Fraction
    origin: Fraction
    begin: Fraction
    colours: Colours
    notes: tuple = ()

    def expected_frames(self, start, end):
        """How many frames there will be between two times, about; None if that is not known."""
        until = self.duration if end is None else min(end, self.duration or end)
        if until is None or not self.rate:
            return None
        return max(1, round((float(until) - float(start)) * float(self.rate)))


class FilmSource:
    """A film that FFmpeg reads; a context manager.

    Attributes:
        facts: the `Facts`.
        problems: what was wrong with it, a sentence each; complete when `frames` has ended.
    """

    def __init__(self, path, square_pixels=False):
        """Open it. `square_pixels` stretches anamorphic frames, for formats that know no other.

        Raises `InputError` when it is no film, has no video, is encrypted or damaged altogether.
        """
        self._reader = VideoReader(path)
        self._short = []
        try:
            self._look(path, square_pixels)
        except BaseException:
            self._reader.close()
            raise

    def _look(self, path, square_pixels):
        """Find the `facts`, by the first frame too."""
        info = self._reader.info
        with contextlib.closing(self._reader.frames(as_stored=True)) as frames:
            frame = next(frames)
        decoded = frame.decoded
        pts = decoded.dts if decoded.pts is None else decoded.pts
        orientation = Orientation.of(decoded)
        height, width = decoded.height, decoded.width
        aspect, earliest = _streams(path)
        tick = Fraction(decoded.time_base)
        origin = Fraction(0) if pts is None else pts * tick - frame.time
        first = max(Fraction(0), min(origin, earliest if earliest is not None else origin))
        if orientation.transposed:
            height, width, aspect = width, height, 1 / aspect
        if square_pixels:
            height, width, aspect = info.height, info.width, Fraction(1)
        self._converter = Converter(height, width, orientation)
        self.facts = Facts(
            path=pathlib.Path(path),
            height=height,
            width=width,
            aspect=aspect,
            rate=info.frame_rate,
            duration=info.duration,
            tick=tick,
            origin=origin,
            begin=first // tick * tick,
            colours=_colours(decoded),
            notes=_notes(info),
        )

    @property
    def exact_times(self):
        """False once time stamps were missing or went back. Set to False where that is known, no
        frame is sought, and times are those of reading from the beginning."""
        return self._reader.clean_times

    @exact_times.setter
    def exact_times(self, exact):
        self._reader.clean_times = exact

    @property
    def problems(self):
        return (*self._reader.problems, *self._short)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._reader.close()

    def frames(self, start=0, end=None):
        """Yield each `SourceFrame` with `start <= time < end`, in order."""
        facts, waiting, last = self.facts, None, Fraction(0)
        usual = 1 / facts.rate if facts.rate else None
        for frame in self._reader.frames(start, end):
            if waiting is not None:
                duration = frame.time - waiting.time
                usual = duration if facts.rate is None else usual
                yield self._picture(waiting, duration)
            waiting, last = frame, frame.time
        if waiting is not None:
            yield self._picture(waiting, self._last_duration(waiting, usual or Fraction(1, 25)))
        self._look_for_the_end(last, end)

    def _last_duration(self, frame, usual):
        """How long the last frame is shown: to the film's end, if that is told and likely."""
        if self.facts.duration is not None:
            left = Fraction(self.facts.duration).limit_denominator(10**6) - frame.time
            if 0 < left <= 2 * usual:
                return left
        told = (frame.decoded.duration or 0) * (frame.decoded.time_base or 0)
        # With frames of varying length this may be the length of another one.
        return told if 0 < told <= 2 * usual else usual

    def _picture(self, frame, duration):
        decoded, size = frame.decoded, self._converter
        # Transparent parts are shown on white.
        kind = "rgba" if _has_alpha(decoded) else "rgb24"
        rgb = size.array(decoded, size.height, size.width, kind, PRECISE)
        return SourceFrame(
            frame.time,
            duration,
            images.on_white(rgb[:, :, :3], rgb[:, :, 3]) if kind == "rgba" else rgb,
        )

    def _look_for_the_end(self, last, end):
        """Reading from a later frame on, the reader does not compare with the declared duration."""
        declared = self.facts.duration
        if not declared or self.problems or (end is not None and end < declared):
            return
        if last < declared - max(_MISSING, declared / 20):
            self._short.append(f"cut short: stops at {timecode(last)} of {timecode(declared)}")


class WebpSource:
    """An animated WebP, which FFmpeg does not read; like `FilmSource`."""

    exact_times = True

    def __init__(self, path):
        try:
            self._animation = webp.Animation(path)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}") from error
        durations = self._animation.durations
        total = sum(durations) / 1000
        self.problems = ()
        self.facts = Facts(
            path=pathlib.Path(path),
            height=self._animation.height,
            width=self._animation.width,
            aspect=Fraction(1),
            rate=Fraction(1000 * len(durations), max(1, sum(durations))).limit_denominator(1001),
            duration=total,
            tick=Fraction(1, 1000),
            origin=Fraction(0),
            begin=Fraction(0),
            colours=Colours(),
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def frames(self, start=0, end=None):
        """Yield each `SourceFrame` with `start <= time < end`, in order."""
        time = Fraction(0)
        try:
            for rgb, milliseconds in self._animation.frames():
                # Players show frames without a duration for a tenth of a second.
                duration = Fraction(milliseconds or 100, 1000)
                if end is not None and time >= end:
                    return
                if time >= start:
                    yield SourceFrame(time, duration, rgb)
                time += duration
        except (InputError, OSError) as error:
            self.problems = (str(error),)


def open_source(path, square_pixels=False):
    """A `FilmSource`, or a `WebpSource` for that kind of file.

    Raises `InputError` for what is no film and what cannot be read, as without permission.
    """
    if formats.kind_of(formats.head_of(path)) == "webp":
        return WebpSource(path)
    return FilmSource(path, square_pixels)


def _streams(path):
    """(the sample aspect ratio of the largest video stream, when the first stream begins)."""
    with open_film(path) as container:
        cover = av.stream.Disposition.attached_pic
        streams = [
            one
            for one in container.streams.video
            if one.codec_context is not None and not one.disposition & cover
        ]
        stream = max(streams, key=lambda one: one.width * one.height)
        starts = [
            one.start_time * one.time_base
            for one in (*streams, *container.streams.audio)
            if one.start_time is not None
        ]
        aspect = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
        return aspect, min(starts, default=None)


def _colours(decoded):
    """What results are written with: the source's own, and what was assumed where it is silent."""
    matrix = decoded.colorspace
    if matrix not in _MATRICES:
        high = decoded.width >= 1280 or decoded.height > 576
        matrix = _BT709 if high else _SMPTE170M
    name = decoded.format.name
    full = decoded.color_range == _FULL or name.startswith("yuvj")
    whole = _FULL if full and not decoded.format.is_rgb else _LIMITED
    return Colours(matrix, whole, decoded.color_primaries or 2, decoded.color_trc or 2)


def _has_alpha(decoded):
    # A palette's colours may be transparent.
    kind = decoded.format
    return kind.name == "pal8" or any(part.is_alpha for part in kind.components)


def _notes(info):
    notes = []
    if info.interlaced:
        notes.append("interlaced: deinterlaced, a frame for each frame")
    if info.hdr:
        notes.append("HDR: not tone-mapped, written in 8 bits with the source's colour tags")
    return tuple(notes)
