"""What a result takes over from its source: sound, subtitles, attachments, chapters, metadata.

Streams are copied packet by packet where the container can hold them; sound is compressed anew and
text subtitles rewritten where it cannot. `notes` says a word for whatever is not a plain copy.
"""

import io
import re
import struct
from fractions import Fraction

import av

from animegan_tf.video.container import open_film

# Packets that FFmpeg would put into MP4, but that players do not know there.
_NOT_IN_MP4 = ("vorbis",)
_SOUND_FOR = {"mp4": "aac", "mov": "aac", "matroska": "flac", "webm": "libopus"}
_OPUS_RATE = 48000
_TEXT = ("subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "text")
# Tags that are about the old file or its streams' numbers.
_OLD = re.compile(
    r"major_brand|minor_version|compatible_brands|encoder|rotate|duration.*|bps.*|number_of_.*"
    r"|_statistics.*|vendor_id|filename|mimetype",
    re.IGNORECASE,
)


class Copies:
    """The streams beside the video of one source, put into one output as time goes on."""

    def __init__(self, path, output, begin, end=None, cut=False):
        """Open the source and add its streams to PyAV's `output`, before its header is written.

        begin: Fraction seconds in the source's time stamps that become 0.
        end: those that the copy ends at, or None.
        cut: whether what is before `begin` is left out.
        """
        self.notes, self._tracks, self._packets = [], {}, iter(())
        self._source = open_film(path)
        self._output = output
        try:
            self._add_streams(begin, end, cut)
        except BaseException:
            self.close()
            raise

    def _add_streams(self, begin, end, cut):
        output, span = self._output, _Span(begin, end, cut)
        for stream in self._source.streams:
            if stream.type in ("audio", "subtitle"):
                track = self._track(stream, span)
                if track is not None:
                    self._tracks[stream.index] = track
            elif stream.type == "attachment" and output.format.name == "matroska":
                output.add_stream_from_template(stream)
        output.metadata.update(_kept(self._source.metadata))
        chapters = _chapters(self._source.chapters(), begin, end)
        if chapters:
            output.set_chapters(chapters)
        if self._tracks:
            streams = [self._source.streams[index] for index in self._tracks]
            if cut and begin > 0:
                self._source.seek(max(0, int(begin * av.time_base) - av.time_base))
            self._packets = self._demuxed(streams)
        self._next = next(self._packets, None)

    def close(self):
        """Close the source."""
        self._source.close()

    def until(self, time):
        """Write what belongs before `time`, in Fraction seconds of the result; None is the end."""
        while self._next is not None:
            track = self._tracks[self._next.stream.index]
            if time is not None and track.time(self._next) >= time:
                return
            for packet in track.packets(self._next):
                self._output.mux(packet)
            self._next = next(self._packets, None)

    def finish(self):
        """Write what encoders have kept back."""
        for track in self._tracks.values():
            for packet in track.rest():
                self._output.mux(packet)

    def _demuxed(self, streams):
        try:
            for packet in self._source.demux(streams):
                if packet.size and (packet.pts is not None or packet.dts is not None):
                    yield packet
        except av.error.FFmpegError as error:
            self.notes.append(f"sound and subtitles end early ({error.strerror})")

    def _track(self, stream, span):
        """The track of the output for a stream of the source, or None."""
        kind = self._output.format.name.split(",")[0]
        if stream.codec_context is None:
            return self._drop(stream, "FFmpeg does not know its codec")
        name = stream.codec_context.codec.canonical_name
        if _holds(kind, stream, name):
            target = self._output.add_stream_from_template(stream)
            track = _Copied(stream, target, span)
        elif stream.type == "audio":
            encoder = _SOUND_FOR[kind]
            target = _sound_stream(self._output, encoder, stream.codec_context)
            track = _Sound(stream, target, span)
            self._note(stream, f"{name} compressed anew as {encoder}: {kind} does not hold it")
        elif name in _TEXT and kind in ("mp4", "mov"):
            target = self._output.add_mux_stream("mov_text")
            track = _Text(stream, target, span, _mov_text)
            self._note(stream, f"{name} rewritten as mov_text, without styles")
        elif name in _TEXT:
            target = self._output.add_mux_stream("webvtt")
            track = _Text(stream, target, span, str.encode)
            self._note(stream, f"{name} rewritten as WebVTT, without styles")
        else:
            return self._drop(stream, f"{kind} does not hold {name}; --container=mkv does")
        target.metadata.update(_kept(stream.metadata))
        target.disposition = stream.disposition
        return track

    def _drop(self, stream, reason):
        self._note(stream, f"left out: {reason}")

    def _note(self, stream, what):
        self.notes.append(f"{stream.type} track {stream.index}: {what}")


class _Span:
    def __init__(self, begin, end, cut):
        self.begin, self.end, self.cut = begin, end, cut


class _Track:
    """One stream: packets of the source in, packets of the output out."""

    def __init__(self, stream, target, span):
        self.stream, self.target, self.span = stream, target, span
        self.tick = Fraction(stream.time_base)
        self.offset = round(span.begin / self.tick)

    def time(self, packet):
        """When a packet is written, in seconds of the result."""
        stamp = packet.pts if packet.dts is None else packet.dts
        return (stamp - self.offset) * self.tick

    def wanted(self, packet):
        """Whether a packet is in the part that is kept."""
        begins = packet.dts if packet.pts is None else packet.pts
        if self.span.end is not None and begins * self.tick >= self.span.end:
            return False
        return not self.span.cut or begins >= self.offset

    def rest(self):
        """Nothing is kept back."""
        return []


class _Copied(_Track):
    last = None

    def packets(self, packet):
        """The packet itself, moved in time."""
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
        if self.stream.type == "audio":
            # Two recordings in one file: no muxer takes times that go back.
            if self.last is not None and packet.dts <= self.last:
                packet.dts = self.last + 1
                packet.pts = max(packet.pts, packet.dts)
            self.last = packet.dts
        packet.time_base = self.tick
        packet.stream = self.target
        return [packet]


class _Sound(_Track):
    """Decoded and compressed anew."""

    def packets(self, packet):
        """What the encoder gives for a packet; one that is damaged gives nothing."""
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
        return [*done, *self._out(self.target.codec_context.encode(None))]

    def _encoded(self, frame):
        if frame.pts is not None:
            frame.pts -= round(self.span.begin / frame.time_base)
        return self._out(self.target.codec_context.encode(frame))

    def _out(self, packets):
        for packet in packets:
            packet.stream = self.target
        return packets


class _Text(_Track):
    """Text subtitles in the form of another container."""

    def __init__(self, stream, target, span, encode):
        super().__init__(stream, target, span)
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
        rewritten = av.Packet(self._encode(text))
        rewritten.pts = rewritten.dts = max(0, begins - self.offset)
        rewritten.duration = ends - rewritten.pts
        rewritten.time_base, rewritten.stream = self.tick, self.target
        return [rewritten]


def plain_text(dialogue):
    """The text of an ASS line without override tags; HTML-like tags of SubRip go too."""
    text = re.sub(r"\{\\[^}]*\}|</?[a-zA-Z][^>]*>", "", dialogue)
    return text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ").strip()


def _mov_text(text):
    """A sample of 3GPP timed text (ETSI TS 126 245): length, then UTF-8."""
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def _holds(kind, stream, name):
    """Whether a container can have a stream: tried, for tables of it are not to be relied on."""
    if kind == "mp4" and name in _NOT_IN_MP4:
        return False
    try:
        with av.open(io.BytesIO(), "w", format=kind) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def _sound_stream(output, encoder, source):
    rate = _OPUS_RATE if encoder == "libopus" else source.sample_rate
    layout = source.layout.name
    if encoder == "libopus" and source.layout.nb_channels > 2:
        layout = "stereo"
    target = output.add_stream(encoder, rate=rate, layout=layout)
    if encoder == "aac":
        target.bit_rate = 96_000 * max(1, source.layout.nb_channels)
    return target


def _kept(metadata):
    return {name: value for name, value in metadata.items() if not _OLD.fullmatch(name)}


def _chapters(chapters, begin, end):
    """PyAV's chapters moved so that `begin` is 0, cut at `end`."""
    kept = []
    for chapter in chapters:
        tick = chapter["time_base"] or Fraction(1, 1000)
        first, last = (chapter[name] * tick for name in ("start", "end"))
        if end is not None:
            last = min(last, end)
        first = max(first - begin, Fraction(0))
        last -= begin
        if last > first:
            moved = {"start": round(first / tick), "end": round(last / tick), "time_base": tick}
            kept.append({**chapter, **moved})
    return kept
