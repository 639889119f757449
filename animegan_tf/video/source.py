"""The video to stylise: its frames at their stored size, upright, and notes for the user."""

import contextlib
import dataclasses
import itertools
import pathlib
from fractions import Fraction

import numpy as np

from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.images import formats
from animegan_tf.video import webp
from animegan_tf.video.frame import PRECISE, Converter, Orientation
from animegan_tf.video.opening import image_streams
from animegan_tf.video.reader import VideoReader
from animegan_tf.video.timecode import timecode

# Matrix coefficients (ITU-T H.273), and FFmpeg's names of them for `reformat`.
_MATRICES = {
    1: "itu709", 4: "fcc", 5: "itu601", 6: "itu601", 7: "smpte240m", 9: "bt2020",
}  # fmt: skip
_BT709, _SMPTE170M = 1, 6
_LIMITED, _FULL = 1, 2


@dataclasses.dataclass(frozen=True)
class Colours:
    """The colour coding of a file: codes of ITU-T H.273 (`range`: FFmpeg's)."""

    matrix: int = _SMPTE170M
    range: int = _LIMITED
    primaries: int = 2
    transfer: int = 2

    @property
    def matrix_name(self):
        """The name of the matrix for FFmpeg's scaler."""
        return _MATRICES[self.matrix]


_SDR = Colours(_BT709, _LIMITED, _BT709, _BT709)


@dataclasses.dataclass(frozen=True)
class SourceFrame:
    """An upright image `rgb`, its `time` from the first frame and its `duration` in seconds."""

    time: Fraction
    duration: Fraction
    rgb: np.ndarray


@dataclasses.dataclass(frozen=True)
class Facts:
    """The properties of a video to stylise.

    Attributes:
        path: the file.
        height, width: size of the upright frames.
        aspect: sample aspect ratio of the upright frames, width to height of a pixel.
        rate: average frames per second, or None.
        duration: declared seconds, or None.
        tick: unit of the timestamps in seconds.
        origin: timestamp of the first frame, in seconds.
        begin: earliest timestamp of all streams in seconds, a multiple of the tick; at least 0
            except in MPEG streams, whose clock may wrap around.
        colours: the `Colours` of the output.
        tone_mapped: whether the frames are mapped from HDR to SDR.
        apple: whether the metadata have Apple's names (place, make and model of a phone).
        pixels: FFmpeg's name of the stored pixel format.
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
    tone_mapped: bool = False
    apple: bool = False
    pixels: str = "rgb24"


class VideoSource:
    """A video that FFmpeg reads; a context manager.

    Attributes:
        facts: the `Facts`.
        notes, problems: sentences for the user about conversions, and about errors in the video;
            complete when `frames` has ended.
    """

    def __init__(self, path, square_pixels=False, keep_hdr=False, deinterlace="auto"):
        """Open the video; `keep_hdr` and `deinterlace` are those of `VideoReader`, which raises.

        square_pixels: stretch anamorphic frames, for formats without an aspect ratio.
        """
        self._reader = VideoReader(path, deinterlace, keep_hdr=keep_hdr)
        self._short, self._expected = [], {}
        try:
            self._look(path, square_pixels, deinterlace)
        except BaseException:
            self._reader.close()
            raise

    def _look(self, path, square_pixels, deinterlace):
        """Set `facts`, which depend on the first frame."""
        info = self._reader.info
        with contextlib.closing(self._reader.frames(as_stored=True)) as frames:
            frame = next(frames, None)
        if frame is None:
            raise InputError(f"{path}: none of its video frames can be decoded")
        decoded = frame.decoded
        pts = decoded.dts if decoded.pts is None else decoded.pts
        orientation = Orientation.of(decoded)
        height, width = decoded.height, decoded.width
        container, stream = self._reader.container, self._reader.stream
        aspect = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
        streams = image_streams(container)
        starts = [
            other.start_time * other.time_base
            for other in (*streams, *container.streams.audio)
            if other.start_time is not None and other is not stream
        ]
        tick = Fraction(decoded.time_base)
        origin = Fraction(0) if pts is None else pts * tick - frame.time
        first = min([origin, *starts])
        if container.format.name not in ("mpeg", "mpegts"):
            first = max(Fraction(0), first)
        if deinterlace == "telecine":
            tick /= 4  # five frames become four
        if orientation.transposed:
            height, width, aspect = width, height, 1 / aspect
        if square_pixels:
            height, width, aspect = info.height, info.width, Fraction(1)
        tone = self._reader.tone
        self._converter = Converter(height, width, orientation, tone)
        self._stored = decoded.height, decoded.width
        self.notes = _notes(info, tone, deinterlace)
        if len(streams) > 1:
            tracks = f"{len(streams)} video tracks: only track {stream.index} is stylised"
            self.notes = (tracks, *self.notes)
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
            colours=colours_of(decoded) if tone is None else _SDR,
            apple=any(name.startswith("com.apple.") for name in container.metadata),
            tone_mapped=tone is not None,
            pixels=info.pixel_format,
        )

    def expected_frames(self, start, end):
        """`VideoReader.expected_frames`."""
        if (start, end) not in self._expected:
            self._expected[start, end] = self._reader.expected_frames(start, end)
        return self._expected[start, end]

    @property
    def exact_times(self):
        """`VideoReader.clean_times`; if set to False, videos are read from the beginning."""
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
        facts, waiting = self.facts, None
        usual = 1 / facts.rate if facts.rate else None
        with contextlib.closing(self._reader.frames(start)) as frames:
            for frame in frames:
                beyond = end is not None and frame.time >= end
                if waiting is not None:
                    duration = (end if beyond else frame.time) - waiting.time
                    usual = duration if facts.rate is None else usual
                    yield self._picture(waiting, duration)
                if beyond:
                    return
                waiting = frame
        if waiting is not None:
            duration = self._last_duration(waiting, usual or Fraction(1, 25))
            if end is not None:
                duration = min(duration, end - waiting.time)
            yield self._picture(waiting, duration)
        self._look_for_the_end()

    def _last_duration(self, frame, usual):
        """The duration of the last frame: to the declared end if that is plausible."""
        if self.facts.duration is not None:
            end = Fraction(self.facts.duration).limit_denominator(10**6)
            if end - frame.time > 2 * usual:
                # The declared end may be wrong; the end of the last packet is more reliable.
                end = min(end, self._reader.read_until)
                usual = max(usual, (end - frame.time) / 2)
            if 0 < end - frame.time <= 2 * usual:
                return end - frame.time
        declared = (frame.decoded.duration or 0) * (frame.decoded.time_base or 0)
        # With a variable frame rate this may be the duration of another frame.
        return declared if 0 < declared <= 2 * usual else usual

    def _picture(self, frame, duration):
        decoded, size = frame.decoded, self._converter
        if self._stored not in (None, (decoded.height, decoded.width)):
            change = f"{decoded.width}x{decoded.height} from {timecode(frame.time)} on"
            self.notes += (f"its frames change size: those of {change} are scaled to the first",)
            self._stored = None  # one note is enough
        # Transparent parts become white.
        kind = "rgba" if size.tone is None and _has_alpha(decoded) else "rgb24"
        rgb = size.array(decoded, size.height, size.width, kind, PRECISE)
        return SourceFrame(
            frame.time,
            duration,
            images.on_white(rgb[:, :, :3], rgb[:, :, 3]) if kind == "rgba" else rgb,
        )

    def _look_for_the_end(self):
        """Add a problem if the video is truncated; the reader checks only complete reads."""
        short = self._reader.cut_short(*self._reader.declared_duration())
        if short and not self.problems:
            self._short.append(short)


class WebpSource:
    """An animated WebP, which FFmpeg cannot read; like `VideoSource`."""

    exact_times, notes = True, ()

    def __init__(self, path):
        try:
            self._animation = webp.Animation(path)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}") from error
        # Players show frames without a duration for a tenth of a second.
        self._durations = [Fraction(length or 100, 1000) for length in self._animation.durations]
        total = sum(self._durations)
        self.problems = ()
        self.facts = Facts(
            path=pathlib.Path(path),
            height=self._animation.height,
            width=self._animation.width,
            aspect=Fraction(1),
            rate=(len(self._durations) / total).limit_denominator(1001),
            duration=float(total),
            tick=Fraction(1, 1000),
            origin=Fraction(0),
            begin=Fraction(0),
            colours=Colours(),
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def expected_frames(self, start, end):
        """The number of frames with `start <= time < end`."""
        times = itertools.accumulate(self._durations[:-1], initial=Fraction(0))
        return sum(start <= time and (end is None or time < end) for time in times)

    def frames(self, start=0, end=None):
        """Yield each `SourceFrame` with `start <= time < end`, in order."""
        time = Fraction(0)
        try:
            for (rgb, _), duration in zip(self._animation.frames(), self._durations, strict=False):
                if end is not None and time >= end:
                    return
                if time >= start:
                    yield SourceFrame(time, duration, rgb)
                time += duration
        except (InputError, OSError) as error:
            self.problems = (str(error),)


def open_source(path, square_pixels=False, keep_hdr=False, deinterlace="auto"):
    """The `VideoSource` or `WebpSource` of a file.

    Raises `InputError` if it is not a video or cannot be read, for example without permission.
    """
    if formats.kind_of(formats.head_of(path)) == "webp":
        return WebpSource(path)
    return VideoSource(path, square_pixels, keep_hdr, deinterlace)


def colours_of(decoded):
    """The output's `Colours`: those of an FFmpeg frame, or the default for untagged frames."""
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


def _notes(info, tone, deinterlace):
    notes = []
    if deinterlace == "telecine":
        notes.append(f"telecine: {float(info.frame_rate):.5g} frames per second")
    elif info.interlaced and deinterlace != "off":
        notes.append("interlaced: deinterlaced, a frame for each frame")
    if info.hdr:
        kept = "HDR: not tone-mapped, written in 8 bits with the source's colour tags"
        notes.append(kept if tone is None else "HDR: tone-mapped to SDR (BT.709)")
    return tuple(notes)
