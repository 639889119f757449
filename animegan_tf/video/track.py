"""An audio, subtitle or data track of an output: converts packets of the source to packets."""

import re
import struct
import typing
from fractions import Fraction

import av
from av.bitstream import BitStreamFilterContext
from av.filter import Graph

from animegan_tf.video.filters import pull_all

# FFmpeg's names of the usual layouts of 1 to 8 channels, and more that AAC has numbers for.
_USUAL = ("mono", "stereo", "2.1", "4.0", "5.0", "5.1", "7.1", "7.1")
_PLAIN = (*_USUAL, "3.0", "quad")
# Audio whose timestamps are off by more seconds is padded or cut.
_OFF = Fraction(1, 100)


class Span(typing.NamedTuple):
    """The part of a source that is kept, in seconds of its timestamps; see `tracks.Copies`."""

    begin: Fraction
    end: Fraction | None
    cut: bool


class Track:
    """Converts packets of one stream of the source to packets of the output."""

    failed = False
    ends = None  # where the last subtitle in MP4's format ends, in ticks

    def __init__(self, stream, target, span):
        self.stream, self.target, self.span = stream, target, span
        self.tick = Fraction(stream.time_base)
        self.offset = round(span.begin / self.tick)

    def time(self, packet):
        """The time of a packet in seconds of the output."""
        stamp = packet.pts if packet.dts is None else packet.dts
        return (stamp - self.offset) * self.tick

    def wanted(self, packet):
        """Whether a packet lies in the span."""
        begins = packet.dts if packet.pts is None else packet.pts
        if self.span.end is not None and begins * self.tick >= self.span.end:
            return False
        return not self.span.cut or begins >= self.offset

    def rest(self):
        """The packets that are still buffered."""
        if self.ends is None:
            return []
        # FFmpeg's MP4 ends with an empty subtitle, as long as the last one: that is a short one.
        packet = self._packet(mov_text(""), self.ends, 1)
        self.ends = None
        return [packet]

    def _packet(self, data, pts, duration):
        packet = av.Packet(data)
        packet.pts = packet.dts = pts
        packet.duration, packet.time_base, packet.stream = duration, self.tick, self.target
        return packet


class Copied(Track):
    """Packets that are copied and shifted in time, optionally through a bitstream filter."""

    def __init__(self, output, stream, span, bitstream=None):
        super().__init__(stream, output.add_stream_from_template(stream), span)
        self._filter = BitStreamFilterContext(bitstream, stream) if bitstream else None
        # These allow packets with equal timestamps.
        self._step = 0 if output.format.name in ("matroska", "webm") else 1
        self._last = None

    def packets(self, packet):
        begins = packet.dts if packet.pts is None else packet.pts
        over = begins + (packet.duration or 0) - self.offset
        overlaps = self.stream.type == "subtitle" and begins < self.offset and over > 0
        if not self.wanted(packet) and not (self.span.cut and overlaps):
            return []
        packet.pts = begins - self.offset
        packet.dts = packet.pts if packet.dts is None else packet.dts - self.offset
        if overlaps and self.span.cut:
            packet.pts = packet.dts = 0
            packet.duration = over
        packet.time_base = self.tick
        if self.stream.codec_context and self.stream.codec_context.name == "mov_text":
            self.ends = packet.pts + (packet.duration or 0)
        if self.stream.type == "audio":
            self._stamp(packet)
        ready = self._filter.filter(packet) if self._filter else [packet]
        for one in ready:
            one.stream = self.target
        return ready

    def _stamp(self, packet):
        """Convert the times to the output's ticks; muxers require that they increase."""
        tick = Fraction(self.target.time_base)
        pts, dts = (round(stamp * self.tick / tick) for stamp in (packet.pts, packet.dts))
        if self._last is not None:
            dts = max(dts, self._last + self._step)
        self._last = dts
        packet.duration = round((packet.duration or 0) * self.tick / tick)
        packet.pts, packet.dts, packet.time_base = max(pts, dts), dts, tick


def _layout_of(context):
    """(layout of PyAV's codec context, where its channels are in the sound or None for in order).

    PyAV frees the memory of layouts with an order of their own twice, so the context gets another.
    Raises `ValueError` if that is not possible.
    """
    own = context.layout
    if not re.match(r"\d+ channels", own.name):
        return own, None
    context.layout = usual = av.AudioLayout(_USUAL[min(own.nb_channels, len(_USUAL)) - 1])
    if context.name == "aac":  # its frames would have the other layout
        raise ValueError(own.name)
    found, wanted = ([one.name for one in each.channels] for each in (own, usual))
    known = set(found) == set(wanted)
    return usual, "|".join(str(found.index(one)) for one in wanted) if known else None


class Sound(Track):
    """Audio that is decoded and encoded again."""

    def __init__(self, output, stream, span, encoder, layout):
        """layout: one of FFmpeg's names, "usual" for the number of channels, or None for its own.

        AAC gets a layout that common players know, Opus mono or stereo.
        """
        source = stream.codec_context
        own, self._places = _layout_of(source)
        layout = layout or own.name
        if layout == "usual" or (encoder == "aac" and layout not in _PLAIN):
            layout = _USUAL[min(own.nb_channels, len(_USUAL)) - 1]
        if encoder == "libopus" and own.nb_channels > 2:
            layout = "stereo"
        rates = av.Codec(encoder, "w").audio_rates or [source.sample_rate]
        rate = min((one for one in rates if one >= source.sample_rate), default=max(rates))
        super().__init__(stream, output.add_stream(encoder, rate=rate, layout=layout), span)
        if encoder == "aac":
            self.target.bit_rate = 96_000 * self.target.layout.nb_channels
        self._form = f"async=1:min_hard_comp={float(_OFF)}:osr={rate}:ochl={layout}"
        self._graph, self._kind, self._next = None, None, None

    def packets(self, packet):
        """The encoder's packets; a damaged packet gives none."""
        if not self.wanted(packet):
            return []
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            return []
        return [one for frame in frames for one in self._encoded(frame)]

    def rest(self):
        try:
            frames = self.stream.codec_context.decode(None)
        except av.error.FFmpegError:
            frames = []
        done = [one for frame in frames for one in self._encoded(frame)]
        done += self._drained()
        return [*done, *self._out(self.target.codec_context.encode(None))]

    def _encoded(self, frame):
        if frame.pts is not None:
            frame.pts -= round(self.span.begin / frame.time_base)
        kind = (frame.sample_rate, frame.format.name, frame.layout.name, frame.time_base)
        done = []
        if kind != self._kind:
            done, self._kind = self._drained(), kind
            self._graph = self._resampler(*kind)
        self._graph.push(frame)
        return [*done, *self._pulled()]

    def _resampler(self, rate, form, layout, tick):
        graph, order = Graph(), f"map={self._places}:channel_layout={layout}"
        graph.link_nodes(
            graph.add_abuffer(sample_rate=rate, format=form, layout=layout, time_base=tick),
            *([graph.add("channelmap", order)] if self._places else []),
            graph.add("aresample", self._form),
            graph.add("abuffersink"),
        ).configure()
        return graph

    def _drained(self):
        if self._graph is None:
            return []
        self._graph.push(None)
        return self._pulled()

    def _pulled(self):
        done = []
        for frame in pull_all(self._graph):
            if frame.pts is None:  # from the filter's buffer
                frame.pts = self._next
            self._next = None if frame.pts is None else frame.pts + frame.samples
            done += self._out(self.target.codec_context.encode(frame))
        return done

    def _out(self, packets):
        for packet in packets:
            packet.stream = self.target
        return packets


class Text(Track):
    """Text subtitles in the format of another container."""

    def __init__(self, output, stream, span, codec, encode):
        super().__init__(stream, output.add_mux_stream(codec), span)
        self._encode = encode

    def packets(self, packet):
        """The packet rewritten, or nothing."""
        begins = packet.dts if packet.pts is None else packet.pts
        ends = begins + (packet.duration or 0) - self.offset
        if (self.span.cut and ends <= 0) or not (self.wanted(packet) or begins < self.offset):
            return []
        try:
            lines = [getattr(one, "dialogue", b"") for one in packet.decode()]
        except av.error.FFmpegError:
            return []
        text = plain_text(b"\n".join(lines).decode("utf-8", "replace"))
        if not text:
            return []
        if self._encode is mov_text:
            self.ends = ends
        begins = max(0, begins - self.offset)
        return [self._packet(self._encode(text), begins, ends - begins)]


def plain_text(dialogue):
    """The text of an ASS line without override tags and HTML-like tags of SubRip."""
    text = re.sub(r"\{\\[^}]*\}|</?[a-zA-Z][^>]*>", "", dialogue)
    return text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ").strip()


def mov_text(text):
    """A sample of 3GPP timed text (ETSI TS 126 245): length, then UTF-8."""
    data = text.encode()
    return struct.pack(">H", len(data)) + data
