"""Encoding of frames with FFmpeg, as a stream of independently decodable segments."""

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
    """The parameters of an output video stream.

    Attributes:
        codec: the `Codec`.
        crf: quality, or None.
        height, width: size of the frames.
        aspect: sample aspect ratio, width to height of a pixel.
        rate: approximate frames per second.
        tick: unit of the timestamps in seconds.
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

    @classmethod
    def of(cls, codec, crf, size, facts):
        """For frames of `size` (height, width) of a source with these `source.Facts`."""
        rate = facts.rate or Fraction(25)
        return cls(codec, crf, *size, facts.aspect, rate, facts.tick, facts.colours)

    @property
    def coded_size(self):
        """(height, width) in the file: most codecs have 4:2:0 and even sides."""
        more = 1 if self.codec.even else 0
        return self.height + self.height % 2 * more, self.width + self.width % 2 * more

    def set_up(self, context):
        """Set the parameters of an encoder's context."""
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
            os.environ.setdefault("SVT_LOG", "1")  # errors only, instead of its whole configuration

    def options(self):
        """The encoder's options."""
        options = dict(self.codec.options)
        if self.crf is not None:
            options["crf"] = str(self.crf)
        return options

    def context(self):
        """A new encoder, for one segment."""
        context = av.CodecContext.create(self.codec.encoder, "w")
        self.set_up(context)
        context.flags |= Flags.global_header
        context.open()
        return context

    def converter(self):
        """A function from uint8 RGB (height, width, 3) to an FFmpeg frame in the file's colours."""
        scaler, (height, width) = VideoReformatter(), self.coded_size

        def convert(rgb):
            if rgb.shape[:2] != (height, width):
                # Repeat the last row and column instead of cropping or resizing.
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
    """Timestamps of the packets of a stream whose segments have separate encoders.

    Frames are added in order. The DTS of packet n is the PTS of frame n - `delay`, the encoder's
    reorder delay.
    """

    def __init__(self, delay):
        self._delay, self._waiting, self._durations = delay, collections.deque(), {}
        self._lead, self._end = None, 0

    def add(self, pts, duration):
        """Add a frame at `pts` with a `duration`, in ticks."""
        if self._lead is None:
            step = max(1, duration)
            self._waiting.extend(pts - step * back for back in range(self._delay, 0, -1))
            self._lead = step * self._delay
        self._waiting.append(pts)
        self._end = pts + duration
        self._durations[pts] = duration

    def stamp(self, packet, tick):
        """Set the DTS and duration of a packet, whose PTS must be set."""
        packet.time_base = tick
        packet.duration = self._durations.pop(packet.pts)
        packet.dts = self._waiting.popleft()

    def until_the_end(self, packet):
        """The duration of the last packet in MP4, which derives durations from DTS differences.

        With it the track ends with its last frame.
        """
        return max(1, self._end - self._lead - packet.dts)
