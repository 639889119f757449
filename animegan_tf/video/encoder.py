"""Pictures compressed by FFmpeg: one stream made of segments that can each be decoded alone."""

import collections
import dataclasses
import os
from fractions import Fraction

import av
import cv2
import numpy as np
from av.codec.context import Flags
from av.video.reformatter import VideoReformatter

from animegan_tf.video.codecs import Codec
from animegan_tf.video.frame import PRECISE
from animegan_tf.video.source import Colours


@dataclasses.dataclass(frozen=True)
class Spec:
    """How pictures of one size become a stream.

    Attributes:
        codec: the `Codec`.
        crf: quality, or None.
        height, width: of the pictures.
        aspect: width to height of a pixel.
        rate: frames per second, about.
        tick: seconds; time stamps are whole numbers of it.
        colours: the `Colours`.
    """

    codec: Codec
    crf: int | None
    height: int
    width: int
    aspect: Fraction
    rate: Fraction
    tick: Fraction
    colours: Colours

    @property
    def coded_size(self):
        """(height, width) in the file: 4:2:0 of most codecs has even sides only."""
        more = 1 if self.codec.even else 0
        return self.height + self.height % 2 * more, self.width + self.width % 2 * more

    def set_up(self, context):
        """Make an encoder's context the one for this stream."""
        context.height, context.width = self.coded_size
        context.pix_fmt = self.codec.pixels
        context.time_base = self.tick
        context.framerate = self.rate
        context.sample_aspect_ratio = self.aspect
        if not self._is_rgb():
            context.colorspace = self.colours.matrix
            context.color_range = self.colours.range
        context.color_primaries = self.colours.primaries
        context.color_trc = self.colours.transfer
        context.options = self.options()
        if self.codec.encoder == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")  # errors only: it tells its whole configuration

    def options(self):
        """Those of the encoder."""
        options = dict(self.codec.options)
        if self.crf is not None:
            options["crf"] = str(self.crf)
        return options

    def context(self):
        """An encoder of its own, for a segment."""
        context = av.CodecContext.create(self.codec.encoder, "w")
        self.set_up(context)
        context.flags |= Flags.global_header
        context.open()
        return context

    def converter(self):
        """A function from uint8 RGB (height, width, 3) to FFmpeg's frame in the file's colours."""
        scaler, (height, width) = VideoReformatter(), self.coded_size

        def convert(rgb):
            if rgb.shape[:2] != (height, width):
                # The last row and column once more: nothing is cut, resized or black.
                bottom, right = height - rgb.shape[0], width - rgb.shape[1]
                rgb = cv2.copyMakeBorder(rgb, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")
            if self._is_rgb():
                return scaler.reformat(frame, format=self.codec.pixels)
            frame = scaler.reformat(
                frame,
                format=self.codec.pixels,
                dst_colorspace=self.colours.matrix_name,
                dst_color_range=self.colours.range,
                interpolation=PRECISE,
            )
            frame.colorspace = self.colours.matrix
            return frame

        return convert

    def _is_rgb(self):
        return self.codec.pixels == "bgr0"


class Stamps:
    """The time stamps of packets, for the whole stream though each segment has its own encoder.

    Frames are announced in order with `add`; a packet's decoding time is the presentation time of
    the frame as many places before it as the encoder delays.
    """

    def __init__(self, delay):
        self._delay, self._waiting, self._durations = delay, collections.deque(), {}
        self._lead, self._end = None, 0

    def add(self, pts, duration):
        """A frame from `pts` on for `duration`, in ticks."""
        if self._lead is None:
            step = max(1, duration)
            self._waiting.extend(pts - step * back for back in range(self._delay, 0, -1))
            self._lead = step * self._delay
        self._waiting.append(pts)
        self._end = pts + duration
        self._durations[pts] = duration

    def stamp(self, packet, tick):
        """Set a packet's decoding time and duration; its `pts` must be right."""
        packet.time_base = tick
        packet.duration = self._durations.pop(packet.pts)
        packet.dts = self._waiting.popleft()

    def until_the_end(self, packet):
        """The duration of the last packet where durations are between decoding times, as in MP4:
        that which makes the stream as long as its frames."""
        return max(1, self._end - self._lead - packet.dts)
