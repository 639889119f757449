"""A segment of a video, drawn and encoded by one worker."""

import contextlib
import dataclasses
import pathlib
import tempfile
from fractions import Fraction

from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.stylize import flicker
from animegan_tf.stylize.frames import FrameStylizer
from animegan_tf.stylize.options import VideoOptions
from animegan_tf.stylize.threads import Drain, Feeder
from animegan_tf.video.codecs import ANIMATIONS
from animegan_tf.video.encoder import Spec
from animegan_tf.video.source import open_source
from animegan_tf.video.timecode import timecode
from animegan_tf.video.writer import Writer

# Frames between threads.
_DEPTH = 2


@dataclasses.dataclass(frozen=True)
class Film:
    """A video with what holds for all of its segments. `path` is local on every node or a URI."""

    path: str
    options: VideoOptions
    compare: bool = False

    @property
    def container(self):
        """The container of segments."""
        return "mkv" if self.options.container in ANIMATIONS else self.options.container

    def open(self, path):
        """The source at `path`, a local copy."""
        options = self.options
        square, keep_hdr = options.container in ANIMATIONS, options.hdr == "keep"
        return open_source(path, square, keep_hdr, options.deinterlace)


@dataclasses.dataclass(frozen=True)
class Segment:
    """A part of a film from a frame at which stabilisation starts anew.

    Attributes:
        film: the `Film`.
        start, end: seconds of the first frame and after the last one; None is the video's end.
        frames: (timestamp, duration) in ticks of each frame in the output.
        before, after: the `flicker.Shots.state` before the first and after the last frame. The
            latter shows that a worker has read the same frames.
        exact_times: see `VideoSource`.
    """

    film: Film
    start: Fraction
    end: Fraction | None
    frames: tuple
    before: list
    after: list
    exact_times: bool


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A segment's encoded file `data`, the frames' `size` (height, width), and `extradata`."""

    data: bytes
    size: tuple
    extradata: str


class Artist:
    """Draws segments of one film with one network."""

    def __init__(self, film, path, stylizer):
        """path: the film's local path. stylizer: a `Stylizer`."""
        self.film, self._path = film, path
        self.frames = FrameStylizer(stylizer, film.options.stabilize, film.options.engine)
        self._max_side = stylizer.max_side

    def draw(self, segment):
        """The `Drawn` of a `Segment` of the film. Raises `InputError` if it cannot be read."""
        # A seek may lead to other frames in a damaged video; then everything before is decoded.
        for exact_times in dict.fromkeys((segment.exact_times, False)):
            drawn = self._draw(segment, exact_times)
            if drawn is not None:
                return drawn
        raise InputError(
            f"{self.film.path}: the frames from {timecode(segment.start)} on differ between nodes"
        )

    def _draw(self, segment, exact_times):
        """The `Drawn`, or None if the frames are others than those of the `Segment`."""
        # One at a time: another grouping has other rounding.
        film, shots, count = self.film, flicker.Shots(), 0
        shots.restore(segment.before)
        self.frames.restart(segment.before)
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            source = stack.enter_context(film.open(self._path))
            source.exact_times = exact_times
            output = _Output(pathlib.Path(folder, f"segment.{film.container}"), segment, source)
            feeder = Feeder(self._prepared(source, segment, shots), _DEPTH)
            drain = Drain(lambda item: output.add(self.frames.finish(*item, film.compare)), _DEPTH)
            try:
                for prepared in feeder:
                    count += 1
                    drain.put((prepared, self.frames.infer([prepared])[0]))
            finally:
                feeder.stop()
                drain.finish()
                output.close()
            if count != len(segment.frames) or shots.state() != segment.after:
                return None
            return output.drawn()

    def _prepared(self, source, segment, shots):
        frames = source.frames(segment.start, segment.end)
        with contextlib.closing(frames):
            for _, frame in zip(segment.frames, frames, strict=False):
                shots.rate(images.limit_side(frame.rgb, self._max_side), frame.time)
                yield self.frames.prepare(frame.rgb, frame.time)


class _Output:
    """The file of a segment; its timestamps begin at 0."""

    def __init__(self, path, segment, source):
        self._path, self._segment, self._facts = path, segment, source.facts
        self._frames, self._writer, self._size = iter(segment.frames), None, None

    def add(self, rgb):
        film = self._segment.film
        if self._writer is None:
            self._size = rgb.shape[:2]
            _, codec, crf = film.options.codec_for(film.options.container)
            spec = Spec.of(codec, crf, self._size, self._facts)
            self._writer = Writer(self._path, film.container, spec)
        pts, duration = next(self._frames)
        self._writer.frame(rgb, pts - self._segment.frames[0][0], duration)

    def close(self):
        if self._writer is not None:
            self._writer.close()

    def drawn(self):
        return Drawn(self._path.read_bytes(), self._size, self._writer.extradata.hex())
