"""One frame of a film: turned upright, converted when asked for, deinterlaced. No TensorFlow.

`animegan_tf.video.reader` makes them; its conventions hold here.
"""

import collections
import dataclasses

import av
import cv2
import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import VideoReformatter

from animegan_tf.video import tonemap

# FFmpeg's scaler: box filter; bicubic, rounded rather than truncated, chroma at full resolution
# (its defaults are up to 2 levels too dark with 10 bits).
_AREA = 0x20
PRECISE = 0x4 | 0x40000 | 0x2000 | 0x4000
_BT709, _UNSPECIFIED = 1, 2
_LIMITED = 1
# Levels of limited range as those of full range.
_WHOLE = np.rint((np.arange(256) - 16) * 255 / 219).clip(0, 255).astype(np.uint8)
# What `Orientation` has for quarter turns counterclockwise.
_TURNS = ((False, False, False), (True, False, True), (False, True, True), (True, True, False))


@dataclasses.dataclass(frozen=True)
class Orientation:
    """How a stored picture is turned upright: transposed first, then mirrored."""

    transposed: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @classmethod
    def of(cls, decoded):
        """That of the display matrix of FFmpeg's frame, to the nearest quarter turn."""
        known = tonemap.side_data(decoded)
        if known is None:
            # Quarter turns alone; counterclockwise ones are above 0.
            return cls(*_TURNS[round(decoded.rotation / 90) % 4])
        if SideDataType.DISPLAYMATRIX not in known:
            return cls()
        matrix = np.frombuffer(bytes(known[SideDataType.DISPLAYMATRIX]), np.int32)
        a, b, _, c, d = (int(number) for number in matrix[:5])
        # The point (x, y) is shown at (a x + c y, b x + d y), as in the tkhd box of MP4.
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(True, c < 0, b < 0)
        return cls(False, a < 0, d < 0)

    def apply(self, picture):
        """`picture` (H, W) or (H, W, 3) turned upright."""
        if self.transposed:
            picture = picture.swapaxes(0, 1)
        if self.mirror_y:
            picture = picture[::-1]
        if self.mirror_x:
            picture = picture[:, ::-1]
        return np.ascontiguousarray(picture)


class Converter:
    """Makes arrays of FFmpeg's frames: upright, square pixels, of one size.

    Attributes:
        height, width: of the upright picture with square pixels.
        orientation: the `Orientation` of what is stored.
        tone: the `ToneMapper` of an HDR film, None if its colours stay as they are.
    """

    def __init__(self, height, width, orientation, tone=None):
        self.height, self.width, self.orientation, self.tone = height, width, orientation, tone
        self._scalers = {}

    def array(self, decoded, height, width, pixel_format, method, threads=None):
        """FFmpeg's frame `decoded` as uint8 (height, width) or (height, width, 3)."""
        if self.orientation.transposed:
            height, width = width, height
        shown = pixel_format
        if self.tone is not None:
            pixel_format = tonemap.FORMAT
        # A scaler is set up anew whenever what it does changes, so each kind has its own.
        kind = (height, width, pixel_format, method)
        if kind not in self._scalers:
            self._scalers[kind] = VideoReformatter()
        hd = decoded.width >= 1280 or decoded.height > 576
        untagged = decoded.colorspace == _UNSPECIFIED and not decoded.format.is_rgb
        converted = self._scalers[kind].reformat(
            decoded,
            width,
            height,
            pixel_format,
            src_colorspace=_BT709 if hd and untagged else None,
            interpolation=method,
            threads=threads,
        )
        if self.tone is None:
            picture = converted.to_ndarray()
            if decoded.color_range == _LIMITED and decoded.format.name.startswith("gray"):
                # FFmpeg's scaler takes all gray for full range.
                picture = cv2.LUT(picture, _WHOLE)
            return self.orientation.apply(picture)
        rgb = self.tone(converted)
        return self.orientation.apply(
            cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) if shown == "gray" else rgb
        )


class Frame:
    """One frame, converted when asked for.

    Attributes:
        time: Fraction, seconds from the film's first frame.
        key: whether decoding can begin here.
        damaged: whether the decoder found it, or what it is made from, incomplete.
        interlaced: whether its lines still are of two moments.
    """

    def __init__(self, decoded, converter, time, key, damaged, interlaced):
        self.time, self.key, self.damaged, self.interlaced = time, key, damaged, interlaced
        self._decoded, self._converter = decoded, converter

    @property
    def decoded(self):
        """FFmpeg's frame, as it is stored."""
        return self._decoded

    def rgb(self):
        """The picture: uint8 (height, width, 3) of the film's size."""
        size = self._converter
        return size.array(self._decoded, size.height, size.width, "rgb24", PRECISE)

    def gray(self):
        """Its brightness, 0 black to 255 white: uint8 (height, width) of the film's size."""
        return self.small(self._converter.height, self._converter.width, gray=True)

    def small(self, height, width, gray=False):
        """The picture averaged down to a size: uint8 (height, width, 3), or (height, width)."""
        kind = "gray" if gray else "rgb24"
        # On small pictures threads cost more than they save.
        return self._converter.array(self._decoded, height, width, kind, _AREA, threads=1)


class Deinterlacer:
    """Interpolates the lines of the second field of interlaced frames by FFmpeg's yadif.

    The filter is set up at the first interlaced frame, and anew when the size changes; frames that
    are not interlaced come out as they were. Each frame comes out after the next one was put in.
    """

    def __init__(self, every_frame):
        self._which = "all" if every_frame else "interlaced"
        self._graph, self._kind, self._waiting = None, None, collections.deque()

    def run(self, frames):
        """Yield the `Frame`s, in order."""
        for frame in frames:
            decoded = frame._decoded
            kind = (decoded.width, decoded.height, decoded.format.name)
            if self._graph is not None and kind != self._kind:
                yield from self._finish()
            if self._graph is None:
                if not frame.interlaced:
                    yield frame
                    continue
                self._start(decoded)
                self._kind = kind
            self._waiting.append(frame)
            self._graph.push(decoded)
            yield from self._done()
        if self._graph is not None:
            yield from self._finish()

    def _start(self, decoded):
        self._graph = Graph()
        self._graph.link_nodes(
            self._graph.add_buffer(
                width=decoded.width,
                height=decoded.height,
                format=decoded.format,
                time_base=decoded.time_base,
            ),
            self._graph.add("yadif", f"mode=send_frame:deint={self._which}"),
            self._graph.add("buffersink"),
        ).configure()

    def _done(self):
        """The frames that have come out; one for each that was put in, in the same order."""
        while True:
            try:
                decoded = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            put = self._waiting.popleft()
            yield Frame(decoded, put._converter, put.time, put.key, put.damaged, False)

    def _finish(self):
        self._graph.push(None)
        yield from self._done()
        self._graph = None
