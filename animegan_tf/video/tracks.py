"""Tracks that are copied from the source: sound, subtitles, data, covers, chapters, metadata.

Streams are copied packet by packet if the container supports them, which is tried with their first
packets; otherwise sound is encoded again and text subtitles are converted. `notes` lists the tracks
that were converted or left out.
"""

import errno
import functools
import io
import re
from fractions import Fraction

import av

from animegan_tf.video.opening import image_streams, open_video, shown
from animegan_tf.video.track import Copied, Sound, Span, Text, mov_text

# Codecs that FFmpeg would write into these containers, but that common players do not support.
_UNPLAYED = {
    "mp4": re.compile("vorbis|pcm_.*"),
    "mov": re.compile("vorbis|wma.*|adpcm_(?!ima_qt).*"),
    # FFmpeg takes the end of TTA from that of the file, and loses a last packet before it.
    "matroska": re.compile("tta"),
}
_SOUND_FOR = {"mp4": "aac", "mov": "aac", "matroska": "flac", "webm": "libopus"}
# Maximum number of packets, and bytes of the file, for trying whether a container takes a track.
_TRIED, _TRIED_BYTES = 40, 2**25
# Errors after which nothing else can be written.
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG)
_COVER = av.stream.Disposition.attached_pic
# File names and types of cover images in Matroska.
_IMAGES = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}
_TEXT = ("subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "text")
# Tags that describe the source file or its streams, and are not copied.
_OLD = re.compile(
    r"major_brand|minor_version|compatible_brands|encoder|rotate|duration.*|bps.*|number_of_.*"
    r"|_statistics.*|vendor_id|filename|mimetype|timecode",
    re.IGNORECASE,
)


class Copies:
    """Copies the other streams of a source into an output, in step with its video."""

    def __init__(self, path, output, begin, end=None, cut=False):
        """Open the source and add its streams to PyAV's `output`, before its header is written.

        begin: the source's timestamp, Fraction seconds, that becomes 0.
        end: the timestamp at which the copy ends, or None.
        cut: drop packets before `begin`.
        """
        self.notes, self._tracks, self._packets = [], {}, iter(())
        self._path, self._source = path, open_video(path)
        self._output = output
        try:
            self._add_streams(begin, end, cut)
        except BaseException:
            self.close()
            raise

    def _add_streams(self, begin, end, cut):
        output, span = self._output, Span(begin, end, cut)
        video = shown(image_streams(self._source))
        programme = self._source.streams.best("video", related=video)
        for stream in self._source.streams:
            if stream.type == "attachment":
                if output.format.name == "matroska":
                    output.add_stream_from_template(stream)
                else:
                    self._drop(stream, "only mkv supports it")
            elif stream.type == "video" and not stream.disposition & _COVER:
                continue
            elif self._source.streams.best("video", related=stream) != programme:
                self._drop(stream, "it belongs to another programme")
            elif stream.type == "video":
                self._attach(stream)
            elif stream.discard != av.stream.Discard.all and "timecode" not in stream.metadata:
                # Muxers create the tracks of chapters and of the timecode.
                track = self._track(stream, span)
                if track is not None:
                    self._tracks[stream.index] = track
        output.metadata.update(_kept(self._source.metadata))
        # Matroska's names are in capitals.
        named = {**_lower(self._source.metadata), **_lower(video.metadata)}
        timecode = named.get("timecode")
        if timecode and self._holds(timecode, cut):
            output.metadata["timecode"] = timecode
        chapters = _chapters(self._source.chapters(), begin, end)
        if chapters:
            output.set_chapters(chapters)
        if self._tracks:
            streams = [self._source.streams[index] for index in self._tracks]
            if cut and begin > 0:
                self._source.seek(max(0, int(begin * av.time_base) - av.time_base))
            self._packets = self._demuxed(streams)
        self._next = next(self._packets, None)

    def _holds(self, timecode, cut):
        """Whether the output can have this timecode, which counts frames; adds a note if not."""
        rate = round(self._output.streams.video[0].codec_context.framerate)
        # Drop-frame timecodes (with a semicolon) are for 29.97 and 59.94 frames per second.
        possible = rate <= 120 and (rate % 30 == 0 or not re.search("[;.]", timecode))
        if cut or not possible:
            why = "the output begins later" if cut else f"not for {rate} frames per second"
            self.notes.append(f"timecode {timecode}: left out: {why}")
        return possible and not cut

    def _attach(self, stream):
        """Add a cover image, which is an attachment in Matroska."""
        if self._output.format.name != "matroska":
            self._drop(stream, "covers are kept in mkv only")
            return
        name, kind = _IMAGES.get(stream.codec_context.name, ("", ""))
        name = stream.metadata.get("filename", name)
        with open_video(self._path) as source:
            packets = source.demux(source.streams[stream.index])
            packet = next((packet for packet in packets if packet.size), None)
        if packet is None or not name:
            self._drop(stream, f"{stream.codec_context.name} is no cover's format in matroska")
            return
        self._output.add_attachment(name, stream.metadata.get("mimetype", kind), bytes(packet))

    def close(self):
        """Close the source."""
        self._source.close()

    def until(self, time):
        """Write the packets before `time`, Fraction seconds of the output; None is the end."""
        while self._next is not None:
            track = self._tracks[self._next.stream.index]
            if time is not None and track.time(self._next) >= time:
                return
            self._write(track, track.packets, self._next)
            self._next = next(self._packets, None)

    def finish(self):
        """Write the packets that the encoders still hold."""
        for track in self._tracks.values():
            self._write(track, track.rest)

    def _write(self, track, make, *packet):
        """Write a track's packets; if that fails, the track ends and the video continues."""
        if track.failed:
            return
        try:
            for converted in make(*packet):
                self._output.mux(converted)
        except (av.error.FFmpegError, ValueError) as error:
            if getattr(error, "errno", None) in DISK_ERRORS:
                raise
            track.failed = True
            self._note(track.stream, f"ends early ({getattr(error, 'strerror', error)})")

    def _demuxed(self, streams):
        try:
            for packet in self._source.demux(streams):
                if packet.size and (packet.pts is not None or packet.dts is not None):
                    yield packet
        except av.error.FFmpegError as error:
            self.notes.append(f"sound and subtitles end early ({error.strerror})")

    def _track(self, stream, span):
        """The output's `Track` for a stream of the source, or None."""
        kind = self._output.format.name.split(",")[0]
        if stream.codec_context is None and stream.type != "data":
            return self._drop(stream, "FFmpeg does not support its codec")
        name = stream.codec_context.codec.canonical_name if stream.codec_context else "its data"
        for make, word in _ways(kind, stream, name):
            if self._works(stream, make):
                track = _add_track(make, self._output, stream, span)
                if word:
                    self._note(stream, word)
                return track
        other = "" if kind == "matroska" or stream.type == "data" else "; --container=mkv does"
        return self._drop(stream, f"{kind} does not support {name}{other}")

    def _works(self, stream, make):
        """Try whether the container accepts a track; there are no reliable tables."""
        output = self._output
        options = {"format": output.format.name, "container_options": output.container_options}
        try:
            with open_video(self._path) as source, av.open(io.BytesIO(), "w", **options) as trial:
                span = Span(Fraction(0), None, False)
                track = _add_track(make, trial, source.streams[stream.index], span)
                trial.start_encoding()
                for packet in _first_packets(source, stream):
                    trial.mux(track.packets(packet))
                trial.mux(track.rest())
        except (av.error.FFmpegError, ValueError):
            return False
        return True

    def _drop(self, stream, reason):
        self._note(stream, f"left out: {reason}")

    def _note(self, stream, what):
        kind = "cover" if stream.type == "video" else stream.type
        self.notes.append(f"{kind} track {stream.index}: {what}")


def _add_track(make, output, stream, span):
    """The track that `make` adds to the output for a stream of the source."""
    track = make(output, stream, span)
    track.target.metadata.update(_kept(stream.metadata))
    track.target.disposition = stream.disposition
    return track


def _ways(kind, stream, name):
    """Yield the ways of writing a stream into a container, best first.

    Each is (a function from output, stream and span to the `Track`, a note or None).
    """
    if stream.type == "data":
        yield Copied, None
        return
    played = not (kind in _UNPLAYED and _UNPLAYED[kind].fullmatch(name))
    if played:
        yield Copied, None
        if name == "aac":  # of a transport stream
            yield functools.partial(Copied, bitstream="aac_adtstoasc"), None
    if stream.type == "audio":
        encoder = _SOUND_FOR[kind]
        why = f"{kind} does not support it"
        if not played:
            why = f"common players do not support it in {kind}"
        word = f"{name} encoded again as {encoder}: {why}"
        for layout in (None, "usual", "stereo"):
            yield functools.partial(Sound, encoder=encoder, layout=layout), word
    elif name in _TEXT and kind in ("mp4", "mov"):
        make = functools.partial(Text, codec="mov_text", encode=mov_text)
        yield make, f"{name} rewritten as mov_text, without styles"
    elif name in _TEXT:
        make = functools.partial(Text, codec="webvtt", encode=str.encode)
        yield make, f"{name} rewritten as WebVTT, without styles"


def _first_packets(source, stream):
    """Yield the first packets of a stream from `source`, another container of the same file."""
    found, read = 0, 0
    for packet in source.demux():
        read += packet.size
        timed = packet.pts is not None or packet.dts is not None
        if packet.size and timed and packet.stream.index == stream.index:
            found += 1
            yield packet
        if found >= _TRIED or read > _TRIED_BYTES:
            return


def _lower(metadata):
    return {name.lower(): value for name, value in metadata.items()}


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
