"""The output file of a video: encoded segments and the tracks that are copied from the source.

The file can be played while it is written, and after the process was killed: MP4 is fragmented
until it is complete.
"""

import contextlib
import itertools

import av

from animegan_tf.errors import InputError
from animegan_tf.video.codecs import CODECS, CONTAINERS
from animegan_tf.video.encoder import Stamps
from animegan_tf.video.opening import open_input, open_output

_MP4_OPTIONS = {"movflags": "hybrid_fragmented+frag_keyframe+delay_moov"}
# Write packets immediately, and do not wait longer than these microseconds of video for tracks
# without packets, for example subtitles.
_OPTIONS = {"flush_packets": "1", "max_interleave_delta": "4000000"}
# Bitstream filters that convert packets from files to the encoder's format.
_AS_ENCODED = {"libx264": "h264_mp4toannexb", "libx265": "hevc_mp4toannexb"}


class Writer:
    """One output file: add frames with `frame`, complete it with `close`.

    Attributes:
        frames: number of frames in it.
    """

    def __init__(self, path, container, spec, copies=None, apple=False):
        """Create the file.

        container: one of `codecs.CONTAINERS`.
        spec: the `encoder.Spec`.
        copies: a function from PyAV's output to the `tracks.Copies` for it.
        apple: whether metadata have Apple's names, for which MP4 and MOV need an option.
        """
        self._is_mp4 = container in ("mp4", "mov")
        options = {**_OPTIONS, **(_MP4_OPTIONS if self._is_mp4 else {})}
        if self._is_mp4 and apple:
            options["movflags"] += "+use_metadata_tags"
        self._output = open_output(path, CONTAINERS[container], container_options=options)
        self._spec, self._copies, self._last, self.frames = spec, None, None, 0
        try:
            self._begin(copies)
        except BaseException:
            self.abandon()
            raise

    def _begin(self, copies):
        spec = self._spec
        self._stream = self._output.add_stream(spec.codec.encoder, rate=spec.rate)
        spec.set_up(self._stream.codec_context)
        if self._is_mp4 and spec.codec.encoder == "libx265":
            self._stream.codec_context.codec_tag = "hvc1"  # Apple's players require it
        try:
            self._stream.codec_context.open()
        except av.error.FFmpegError as error:
            name = next(name for name in CODECS if CODECS[name].encoder == spec.codec.encoder)
            raise InputError(
                f"codec: expected one that takes frames of {spec.width}x{spec.height}, received "
                f"{name}; h264, vp9 and ffv1 take all sizes"
            ) from error
        self._copies = copies(self._output) if copies else None
        self._output.start_encoding()
        self._encoder = self._stream.codec_context
        self.extradata = bytes(self._encoder.extradata or b"")
        self._stamps = Stamps(max(self._encoder.reorder_depth, spec.codec.reorder))
        self._convert = spec.converter()

    @property
    def notes(self):
        """The tracks that were converted or dropped, a sentence each."""
        return tuple(self._copies.notes) if self._copies else ()

    def frame(self, rgb, pts, duration):
        """Add an image, uint8 RGB of the spec's size, at `pts` ticks for `duration` ticks."""
        if self._encoder is None:
            self._encoder = self._spec.context()
        frame = self._convert(rgb)
        frame.pts, frame.time_base = pts, self._spec.tick
        self._stamps.add(pts, duration)
        self._mux(self._encoder.encode(frame))
        self._beside((pts + duration) * self._spec.tick)
        self.frames += 1

    def end_segment(self):
        """Finish a segment, so that the next frames are decoded independently."""
        if self._encoder is not None:
            self._mux(self._encoder.encode(None))
            self._encoder = None

    def take(self, partial, segments):
        """Copy segments, lists of (pts, duration), from a file of an earlier `Writer`."""
        with open_input(partial) as source:
            stream = source.streams.video[0]
            name = _AS_ENCODED.get(self._spec.codec.encoder)
            convert = av.bitstream.BitStreamFilterContext(name, stream) if name else None
            packets = (packet for packet in source.demux(stream) if packet.size)
            for segment in segments:
                self._take_segment(packets, convert, segment)

    def _take_segment(self, packets, convert, segment):
        taken = list(itertools.islice(packets, len(segment)))
        order = sorted(range(len(taken)), key=lambda index: taken[index].pts)
        for pts, duration in segment:
            self._stamps.add(pts, duration)
        for place, (pts, _) in zip(order, segment, strict=True):
            taken[place].opaque = pts
        for packet in taken:
            pts = packet.opaque
            for ready in convert.filter(packet) if convert else [packet]:
                ready.pts = pts
                self._mux([ready])
        self.frames += len(segment)
        pts, duration = segment[-1]
        self._beside((pts + duration) * self._spec.tick)

    def close(self, whole=True):
        """Complete the file. `whole` copies the other tracks up to the end of the source."""
        self.end_segment()
        self._mux_last(final=True)
        if self._copies:
            if whole:
                self._copies.until(None)
            self._copies.finish()
        self._output.close()
        self._end()

    def abandon(self):
        """Close the file after an error, for example on a full disk, and keep it."""
        with contextlib.suppress(av.error.FFmpegError, OSError):
            self._mux_last()
            self._output.close()
        self._end()

    def _end(self):
        if self._copies:
            self._copies.close()

    def _mux(self, packets):
        for packet in packets:
            self._stamps.stamp(packet, self._spec.tick)
            packet.stream = self._stream
            self._mux_last()
            self._last = packet

    def _mux_last(self, final=False):
        """Write the held packet; the duration of the last one is known only at the end."""
        packet, self._last = self._last, None
        if packet is not None:
            if final and self._is_mp4:
                packet.duration = self._stamps.until_the_end(packet)
            self._output.mux(packet)

    def _beside(self, time):
        if self._copies:
            self._copies.until(time)
