"""Stylises raw frames (YUV4MPEG2) from standard input to standard output:

    ffmpeg -i in.mp4 -f yuv4mpegpipe - | animegan-stylize - --output=- | ffmpeg -i - out.mp4

Frame rate, colour range and chroma format stay those of the input. There is no sound.
"""

from fractions import Fraction

import av
from tqdm import tqdm

from animegan_tf.errors import InputError
from animegan_tf.signals import Signals
from animegan_tf.stylize.frames import FrameStylizer
from animegan_tf.video.codecs import Codec
from animegan_tf.video.container import frame_rate
from animegan_tf.video.encoder import Spec
from animegan_tf.video.frame import Converter, Deinterlacer, Frame, Orientation
from animegan_tf.video.opening import check_size
from animegan_tf.video.source import colours_of

_FORMAT, _START = "yuv4mpegpipe", b"YUV4MPEG2 "
# Pixel formats that are kept; others become the last.
_KEPT = ("yuv420p", "yuv422p", "yuv411p", "yuv444p")


def is_raw_video(source):
    """Whether `source`, a buffered binary file, starts like raw frames; its position is kept."""
    return source.peek(len(_START)).startswith(_START)


def run(make, source, target, options, compare=False, progress=False):
    """Stylise the frames of `source`, a binary file, into `target`; returns their number.

    make: a function that returns the stylizer; called after the first frame was read.
    options: `VideoOptions`; stabilize, engine and deinterlace are used.

    Raises `InputError` for other input, and for damage, after the frames before it are written.
    """
    problems = []
    try:
        video = av.open(source, format=_FORMAT)
    except av.error.FFmpegError as error:
        raise InputError(f"-: expected raw frames in YUV4MPEG2 ({error.strerror})") from error
    with video, Signals() as signals, tqdm(unit="frame", disable=None if progress else True) as bar:
        stream = video.streams.video[0]
        check_size("-", stream.height, stream.width)
        rate = frame_rate(stream) or Fraction(25)
        frames = _frames(video, stream, rate, options.deinterlace, problems)
        output = stylizer = None
        for frame in frames:
            stylizer = stylizer or FrameStylizer(make(), options.stabilize, options.engine)
            rgb = stylizer(frame.rgb(), float(frame.time), compare)
            output = output or _Output(target, rgb.shape[:2], stream, rate, frame.decoded)
            output.add(rgb)
            bar.update()
            if signals.received:
                break
        if output is not None:
            output.close()
        count = output.count if output is not None else 0
    if problems or not count:
        raise InputError(f"-: {problems[0] if problems else 'expected frames, received none'}")
    return count


def _frames(video, stream, rate, deinterlace, problems):
    """Yield each `Frame`, deinterlaced."""
    upright = Converter(stream.height, stream.width, Orientation())

    def read():
        try:
            for index, decoded in enumerate(video.decode(stream)):
                interlaced = decoded.interlaced_frame or deinterlace == "on"
                yield Frame(decoded, upright, index / rate, True, False, interlaced)
        except av.error.FFmpegError as error:
            problems.append(f"the raw frames end early ({error.strerror})")

    return read() if deinterlace == "off" else Deinterlacer(deinterlace == "on").run(read())


class _Output:
    """Writes raw frames; `count` is their number."""

    def __init__(self, target, size, stream, rate, decoded):
        pixels = decoded.format.name if decoded.format.name in _KEPT else _KEPT[-1]
        aspect = Fraction(stream.sample_aspect_ratio or 1)
        codec = Codec("rawvideo", None, 0, (), even=False, pixels=pixels)
        spec = Spec(codec, None, *size, aspect, rate, 1 / rate, colours_of(decoded))
        self._container = av.open(target, "w", format=_FORMAT)
        self._stream = self._container.add_stream("rawvideo", rate=rate)
        spec.set_up(self._stream.codec_context)
        self._convert, self.count = spec.converter(), 0

    def add(self, rgb):
        """Write a frame, uint8 RGB."""
        frame = self._convert(rgb)
        frame.pts, frame.time_base = self.count, self._stream.codec_context.time_base
        self._container.mux(self._stream.encode(frame))
        self.count += 1

    def close(self):
        """Complete the output."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
