"""A film that is being written: video segments, and what is copied beside them, in one file.

The file can be played while it grows and after a kill (MP4 is written in fragments, which become an
ordinary MP4 at the end).
"""

import contextlib
import itertools

import av

from animegan_tf.errors import InputError
from animegan_tf.video.codecs import CODECS, CONTAINERS
from animegan_tf.video.encoder import Stamps
from animegan_tf.video.opening import open_input, open_output

_MP4_OPTIONS = {"movflags": "hybrid_fragmented+frag_keyframe+delay_moov"}
# A kill loses nothing that a muxer has let go of; for tracks without packets, subtitles for
# instance, it waits so many microseconds of the film.
_OPTIONS = {"flush_packets": "1", "max_interleave_delta": "4000000"}
# How packets from files are turned into what the encoder gives.
_AS_ENCODED = {"libx264": "h264_mp4toannexb", "libx265": "hevc_mp4toannexb"}


class Writer:
    """One output file. Pictures go in by `frame`; `close` makes it complete.

    Attributes:
        frames: how many pictures are in it.
    """

    def __init__(self, path, container, spec, copies=None, apple=False):
        """Make the file.

        container: one of `options.CONTAINERS`.
        spec: the `encoder.Spec`.
        copies: a function from PyAV's output to the `Copies` for it.
        apple: whether metadata have Apple's names, which MP4 and MOV hold only as such.
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
            self._stream.codec_context.codec_tag = "hvc1"  # Apple's players know no other
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
        """What is not a plain copy, a sentence each."""
        return tuple(self._copies.notes) if self._copies else ()

    def frame(self, rgb, pts, duration):
        """Add a picture, uint8 RGB of the spec's size, at `pts` ticks for `duration` ticks."""
        if self._encoder is None:
            self._encoder = self._spec.context()
        frame = self._convert(rgb)
        frame.pts, frame.time_base = pts, self._spec.tick
        self._stamps.add(pts, duration)
        self._mux(self._encoder.encode(frame))
        self._beside((pts + duration) * self._spec.tick)
        self.frames += 1

    def end_segment(self):
        """Finish a segment: what comes next is decoded without it."""
        if self._encoder is not None:
            self._mux(self._encoder.encode(None))
            self._encoder = None

    def take(self, partial, segments):
        """Copy segments, lists of (pts, duration), from a file that a writer made before."""
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
        """Complete the file. `whole`: with what is beside the video up to the source's end."""
        self.end_segment()
        self._mux_last(final=True)
        if self._copies:
            if whole:
                self._copies.until(None)
            self._copies.finish()
        self._output.close()
        self._end()

    def abandon(self):
        """Give up, for instance on a full disk; what was written stays."""
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
        """Hand on the packet that was kept back, for its duration may not be known before."""
        packet, self._last = self._last, None
        if packet is not None:
            if final and self._is_mp4:
                packet.duration = self._stamps.until_the_end(packet)
            self._output.mux(packet)

    def _beside(self, time):
        if self._copies:
            self._copies.until(time)


def count_packets(path):
    """How many video packets can be read from a file, 0 when it cannot be opened."""
    count = 0
    try:
        with open_input(path) as container:
            for packet in container.demux(container.streams.video[0]):
                count += bool(packet.size)
    except (av.error.FFmpegError, IndexError, OSError, InputError):
        pass
    return count
