"""A decoded frame: rotated upright, converted on demand, deinterlaced. No TensorFlow.

The conventions are those of `animegan_tf.video.reader`.
"""

import collections
import dataclasses
import itertools

import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import VideoReformatter

from animegan_tf.video import tonemap
from animegan_tf.video.filters import chain, pull_all

# Flags of FFmpeg's scaler: box filter; bicubic, rounded instead of truncated, chroma at full
# resolution (the defaults are up to 2 levels too dark with 10 bits).
_AREA = 0x20
PRECISE = 0x4 | 0x40000 | 0x2000 | 0x4000
# Match the fields of a frame, interpolate where that failed, drop the repeated frame of five.
_PULLDOWN = (("fieldmatch", ""), ("yadif", "deint=interlaced"), ("decimate", ""))
_BT709, _UNSPECIFIED = 1, 2
_LIMITED = 1
# Table from limited to full range.
_FULL_RANGE = np.rint((np.arange(256) - 16) * 255 / 219).clip(0, 255).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class Orientation:
    """How a stored image is turned upright: transposed first, then mirrored."""

    transposed: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @classmethod
    def of(cls, decoded):
        """The orientation in the display matrix of an FFmpeg frame, to the nearest quarter turn."""
        known = tonemap.side_data(decoded)
        if SideDataType.DISPLAYMATRIX not in known:
            return cls()
        matrix = np.frombuffer(bytes(known[SideDataType.DISPLAYMATRIX]), np.int32)
        a, b, _, c, d = (int(number) for number in matrix[:5])
        # The point (x, y) is shown at (a x + c y, b x + d y), as in the tkhd box of MP4.
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(True, c < 0, b < 0)
        return cls(False, a < 0, d < 0)

    def apply(self, picture):
        """`picture`, (H, W) or (H, W, 3), turned upright."""
        if self.transposed:
            picture = picture.swapaxes(0, 1)
        if self.mirror_y:
            picture = picture[::-1]
        if self.mirror_x:
            picture = picture[:, ::-1]
        return np.ascontiguousarray(picture)


class Converter:
    """Converts FFmpeg frames to arrays of one size, upright and with square pixels.

    Attributes:
        height, width: size of the arrays.
        orientation: the `Orientation` of the stored frames.
        tone: the `ToneMapper` of an HDR video; None converts no colours.
    """

    def __init__(self, height, width, orientation, tone=None):
        self.height, self.width, self.orientation, self.tone = height, width, orientation, tone
        self._scalers = {}

    def array(self, decoded, height, width, pixel_format, method, threads=None):
        """The FFmpeg frame `decoded` as uint8 (height, width) or (height, width, 3)."""
        if self.orientation.transposed:
            height, width = width, height
        shown = pixel_format
        if self.tone is not None:
            pixel_format = tonemap.FORMAT
        # A scaler is set up again whenever its parameters change, so each kind has its own.
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
                # FFmpeg's scaler ignores the range of gray frames.
                picture = cv2.LUT(picture, _FULL_RANGE)
            return self.orientation.apply(picture)
        rgb = self.tone(converted)
        return self.orientation.apply(
            cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) if shown == "gray" else rgb
        )


class Frame:
    """A frame, converted on demand.

    Attributes:
        decoded: the FFmpeg frame as stored.
        time: Fraction, seconds from the first frame of the video.
        key: whether decoding can start here.
        damaged: whether the decoder found this frame, or one that it refers to, incomplete.
        interlaced: whether it still has lines of two fields.
    """

    def __init__(self, decoded, converter, time, key, damaged, interlaced):
        self.time, self.key, self.damaged, self.interlaced = time, key, damaged, interlaced
        self.decoded, self._converter = decoded, converter

    def rgb(self):
        """The image: uint8 RGB (height, width, 3) of the video's size."""
        size = self._converter
        return size.array(self.decoded, size.height, size.width, "rgb24", PRECISE)

    def gray(self):
        """The luma, 0 black to 255 white: uint8 (height, width) of the video's size."""
        return self.small(self._converter.height, self._converter.width, gray=True)

    def small(self, height, width, gray=False):
        """The image averaged down to a size: uint8 (height, width, 3), or (height, width)."""
        kind = "gray" if gray else "rgb24"
        # Threads cost more than they save for small images.
        return self._converter.array(self.decoded, height, width, kind, _AREA, threads=1)


def deinterlaced(frames, choice, rate=None):
    """The `Frame`s deinterlaced; `choice` is one of `timecode.DEINTERLACE`.

    "telecine" undoes the 3:2 pulldown of films: four frames remain of five. It needs the frame
    `rate` of the video.
    """
    if choice == "off":
        return frames
    if choice == "telecine":
        return _without_pulldown(frames, rate)
    return Deinterlacer(choice == "on").run(frames)


def _without_pulldown(frames, rate):
    graph = converter = None
    for frame in itertools.chain(frames, [None]):
        if frame is not None:
            decoded, converter = frame.decoded, frame._converter
            decoded.pts = round(frame.time / decoded.time_base)
            graph = graph or chain(decoded, *_PULLDOWN, rate=rate)
        elif graph is None:
            return
        graph.push(frame and decoded)
        for film in pull_all(graph):
            yield Frame(film, converter, film.pts * film.time_base, False, film.is_corrupt, False)


class Deinterlacer:
    """Interpolates the lines of the second field of interlaced frames with FFmpeg's yadif.

    The filter is created at the first interlaced frame, and again if the size changes; progressive
    frames are not changed. The output is one frame behind the input.
    """

    def __init__(self, every_frame):
        self._which = "all" if every_frame else "interlaced"
        self._graph, self._kind, self._waiting = None, None, collections.deque()

    def run(self, frames):
        """Yield the `Frame`s, in order."""
        for frame in frames:
            decoded = frame.decoded
            kind = (decoded.width, decoded.height, decoded.format.name)
            if self._graph is not None and kind != self._kind:
                yield from self._finish()
            if self._graph is None:
                if not frame.interlaced:
                    yield frame
                    continue
                which = f"mode=send_frame:deint={self._which}"
                self._graph = chain(decoded, ("yadif", which))
                self._kind = kind
            self._waiting.append(frame)
            self._graph.push(decoded)
            yield from self._done()
        if self._graph is not None:
            yield from self._finish()

    def _done(self):
        """Yield the frames that are ready, one for each input frame in the same order."""
        for decoded in pull_all(self._graph):
            put = self._waiting.popleft()
            yield Frame(decoded, put._converter, put.time, put.key, put.damaged, False)

    def _finish(self):
        self._graph.push(None)
        yield from self._done()
        self._graph = None
