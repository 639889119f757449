"""Stylises raw frames (YUV4MPEG2) from standard input, or a video's file, to standard output:

    ffmpeg -i in.mp4 -f yuv4mpegpipe - | animegan-stylize - --output=- | ffmpeg -i - out.mp4

Colour range and chroma format stay those of the input. The frame rate is constant: frames of a
video with a variable rate are repeated or left out. There is no sound.
"""

import math
from fractions import Fraction

import av
from tqdm import tqdm

from animegan_tf.errors import InputError
from animegan_tf.signals import Signals
from animegan_tf.stylize.frames import FrameStylizer
from animegan_tf.stylize.options import VideoOptions
from animegan_tf.video.codecs import Codec
from animegan_tf.video.container import frame_rate
from animegan_tf.video.encoder import Spec
from animegan_tf.video.frame import Converter, Frame, Orientation, deinterlaced
from animegan_tf.video.opening import check_size
from animegan_tf.video.source import Facts, SourceFrame, colours_of, open_source

_FORMAT, _START = "yuv4mpegpipe", b"YUV4MPEG2 "
# Pixel formats that are kept; others become the last.
_KEPT = ("yuv420p", "yuv422p", "yuv411p", "yuv444p")
# Raw frames have no use for these options.
_UNUSED = ("codec", "crf", "container", "bits", "resume")


def is_raw_video(source):
    """Whether `source`, a buffered binary file, starts like raw frames; its position is kept."""
    return source.peek(len(_START)).startswith(_START)


def check_options(options):
    """Raise `InputError` for `VideoOptions` that raw frames have no use for."""
    for name in _UNUSED:
        if getattr(options, name) != getattr(VideoOptions, name):
            raise InputError(f"{name}: expected none with raw frames, received {name}")


def run(make, source, target, options, compare=False, progress=False):
    """Stylise `source` into `target`, a binary file; returns the number of written frames.

    make: a function that returns the stylizer; called after the first frame was read.
    source: the path of a video, or a binary file with raw frames.
    options: `VideoOptions`; those that `check_options` accepts are used.

    Raises `InputError` for other input, and for damage, after the frames before it are written.
    """
    check_options(options)
    output = stylizer = first = None
    with (
        _opened(source, options) as video,
        Signals() as signals,
        tqdm(unit="frame", disable=None if progress else True) as bar,
    ):
        start = options.start or Fraction(0)
        expected = video.expected_frames(start, options.end)
        for frame in video.frames(start, options.end):
            first = first or frame
            stylizer = stylizer or FrameStylizer(
                make(), options.stabilize, options.engine, expected
            )
            rgb = stylizer(frame.rgb, float(frame.time), compare)
            output = output or _Output(target, rgb.shape[:2], video.facts)
            output.add(rgb, frame.time + frame.duration - first.time)
            bar.update()
            if signals.received:
                break
        if output is not None:
            output.close()
        problems = video.problems
    if problems or output is None:
        what = problems[0] if problems else "expected frames in the requested part, found none"
        raise InputError(f"{video.facts.path}: {what}")
    return output.count


def _opened(source, options):
    if hasattr(source, "read"):
        return _RawFrames(source, options.deinterlace)
    return open_source(source, keep_hdr=options.hdr == "keep", deinterlace=options.deinterlace)


class _RawFrames:
    """Raw frames in a binary file; like `VideoSource`."""

    def __init__(self, source, deinterlace):
        try:
            self._video = av.open(source, format=_FORMAT)
        except av.error.FFmpegError as error:
            raise InputError(f"-: expected raw frames in YUV4MPEG2 ({error.strerror})") from error
        stream = self._video.streams.video[0]
        check_size("-", stream.height, stream.width)
        self._rate, self._deinterlace, self.problems = frame_rate(stream), deinterlace, []
        rate, aspect = self._rate, Fraction(stream.sample_aspect_ratio or 1)
        if deinterlace == "telecine":
            rate *= Fraction(4, 5)
        self.facts = Facts(
            path="-",
            height=stream.height,
            width=stream.width,
            aspect=aspect,
            rate=rate,
            duration=None,
            tick=1 / rate,
            origin=Fraction(0),
            begin=Fraction(0),
            colours=colours_of(stream.codec_context),
            pixels=stream.codec_context.pix_fmt,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._video.close()

    def expected_frames(self, start, end):
        """The number of frames with `start <= time < end`; None if unknown."""
        return None if end is None else math.ceil((end - start) / self.facts.tick)

    def frames(self, start, end):
        """Yield each `SourceFrame` with `start <= time < end`, in order."""
        for frame in deinterlaced(self._read(end), self._deinterlace, self._rate):
            if frame.time >= start:
                yield SourceFrame(frame.time, self.facts.tick, frame.rgb())

    def _read(self, end):
        facts = self.facts
        upright = Converter(facts.height, facts.width, Orientation())
        try:
            for index, decoded in enumerate(self._video.decode(video=0)):
                time = index / self._rate
                if end is not None and time >= end:
                    return
                interlaced = decoded.interlaced_frame or self._deinterlace == "on"
                yield Frame(decoded, upright, time, True, False, interlaced)
        except av.error.FFmpegError as error:
            self.problems.append(f"the raw frames end early ({error.strerror})")


class _Output:
    """Writes raw frames; `count` is their number."""

    def __init__(self, target, size, facts):
        plain = facts.pixels.replace("yuvj", "yuv")
        pixels = next((name for name in _KEPT if plain.startswith(name)), _KEPT[-1])
        codec = Codec("rawvideo", None, 0, (), even=False, pixels=pixels)
        self._rate = facts.rate or Fraction(25)
        spec = Spec(codec, None, *size, facts.aspect, self._rate, 1 / self._rate, facts.colours)
        self._container = av.open(target, "w", format=_FORMAT)
        self._stream = self._container.add_stream("rawvideo", rate=self._rate)
        spec.set_up(self._stream.codec_context)
        self._convert, self.count = spec.converter(), 0

    def add(self, rgb, until):
        """Write a frame, uint8 RGB, as often as it is shown until a time of the output."""
        frame = self._convert(rgb)
        while self.count < math.floor(until * self._rate + Fraction(1, 2)):
            frame.pts, frame.time_base = self.count, self._stream.codec_context.time_base
            self._container.mux(self._stream.encode(frame))
            self.count += 1

    def close(self):
        """Complete the output."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
