"""What an output keeps of its source: sound, subtitles, data, covers, chapters, metadata.

Streams are copied packet by packet where the container can hold them; sound is compressed again and
text subtitles rewritten where it cannot, which is tried with the first packets before any work.
`notes` lists the tracks that were converted or left out.
"""

import errno
import functools
import io
import re
from fractions import Fraction

import av

from animegan_tf.video.container import image_streams, open_film, shown
from animegan_tf.video.track import Copied, Sound, Span, Text, mov_text

# What FFmpeg would put into these, but common players do not know there.
_UNPLAYED = {
    "mp4": re.compile("vorbis|pcm_.*"),
    "mov": re.compile("vorbis|wma.*|adpcm_(?!ima_qt).*"),
}
_SOUND_FOR = {"mp4": "aac", "mov": "aac", "matroska": "flac", "webm": "libopus"}
# FFmpeg's names of the usual layouts of so many channels.
_LAYOUTS = ("mono", "stereo", "2.1", "4.0", "5.0", "5.1", "6.1", "7.1")
# A way for sound into a container is tried with so many packets, and no more of the file than this.
_TRIED, _TRIED_BYTES = 40, 2**25
# What no other track, and no other file, would be written on after.
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG)
_COVER = av.stream.Disposition.attached_pic
# Types of cover images that Matroska names.
_IMAGES = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}
_TEXT = ("subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "text")
# Tags that are about the old file or its streams' numbers.
_OLD = re.compile(
    r"major_brand|minor_version|compatible_brands|encoder|rotate|duration.*|bps.*|number_of_.*"
    r"|_statistics.*|vendor_id|filename|mimetype|timecode",
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
        self._path, self._source = path, open_film(path)
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
                    self._drop(stream, "only mkv holds it")
            elif stream.type == "video" and not stream.disposition & _COVER:
                continue
            elif self._source.streams.best("video", related=stream) != programme:
                self._drop(stream, "it belongs to another programme")
            elif stream.type == "video":
                self._attach(stream)
            elif stream.discard != av.stream.Discard.all and "timecode" not in stream.metadata:
                # Muxers make the tracks of chapters and of the timecode themselves.
                track = self._track(stream, span)
                if track is not None:
                    self._tracks[stream.index] = track
        output.metadata.update(_kept(self._source.metadata))
        # Matroska has it in capitals.
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
        """Whether the output may have a timecode: numbers of frames, which are those of a rate."""
        rate = round(self._output.streams.video[0].codec_context.framerate)
        # Dropped numbers, after a semicolon, are for 30000/1001 frames per second and twice that.
        possible = rate <= 120 and (rate % 30 == 0 or not re.search("[;.]", timecode))
        if cut or not possible:
            why = "the output begins later" if cut else f"not for {rate} frames per second"
            self.notes.append(f"timecode {timecode}: left out: {why}")
        return possible and not cut

    def _attach(self, stream):
        """Add a cover image, which is an attachment in Matroska."""
        if self._output.format.name != "matroska":
            self._drop(stream, "only mkv holds it")
            return
        name, kind = _IMAGES.get(stream.codec_context.name, ("", ""))
        name = stream.metadata.get("filename", name)
        with open_film(self._path) as source:
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
        """Write what belongs before `time`, in Fraction seconds of the result; None is the end."""
        while self._next is not None:
            track = self._tracks[self._next.stream.index]
            if time is not None and track.time(self._next) >= time:
                return
            self._write(track, track.packets, self._next)
            self._next = next(self._packets, None)

    def finish(self):
        """Write what encoders have kept back."""
        for track in self._tracks.values():
            self._write(track, track.rest)

    def _write(self, track, make, *packet):
        """Write what a track makes; one that fails all the same ends there, the film goes on."""
        if track.failed:
            return
        try:
            for made in make(*packet):
                self._output.mux(made)
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
        """The track of the output for a stream of the source, or None."""
        kind = self._output.format.name.split(",")[0]
        if stream.codec_context is None and stream.type != "data":
            return self._drop(stream, "FFmpeg does not know its codec")
        name = stream.codec_context.codec.canonical_name if stream.codec_context else "its data"
        for make, word in _ways(kind, stream, name):
            if self._works(stream, make):
                track = _made(make, self._output, stream, span)
                if word:
                    self._note(stream, word)
                return track
        other = "" if kind == "matroska" or stream.type == "data" else "; --container=mkv does"
        return self._drop(stream, f"{kind} does not hold {name}{other}")

    def _works(self, stream, make):
        """Whether a way into the container works: tables of it are not to be relied on."""
        output = self._output
        options = {"format": output.format.name, "container_options": output.container_options}
        try:
            with open_film(self._path) as source, av.open(io.BytesIO(), "w", **options) as trial:
                span = Span(Fraction(0), None, False)
                track = _made(make, trial, source.streams[stream.index], span)
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


def _made(make, output, stream, span):
    """The track that `make` adds to the output for a stream of the source."""
    track = make(output, stream, span)
    track.target.metadata.update(_kept(stream.metadata))
    track.target.disposition = stream.disposition
    return track


def _ways(kind, stream, name):
    """Yield (a function of output, stream and span that makes the track, a word or None), the best
    way into a container first."""
    if stream.type == "data":
        yield Copied, None
        return
    played = not (kind in _UNPLAYED and _UNPLAYED[kind].fullmatch(name))
    if played:
        yield Copied, None
        if name == "aac":  # of a transport stream
            yield functools.partial(Copied, bitstream="aac_adtstoasc"), None
    if stream.type == "audio":
        encoder, source = _SOUND_FOR[kind], stream.codec_context.layout
        why = f"{kind} does not hold it" if played else f"common players know none in {kind}"
        word = f"{name} compressed anew as {encoder}: {why}"
        usual = _LAYOUTS[min(source.nb_channels, len(_LAYOUTS)) - 1]
        layouts = (source.name, usual, "stereo")
        if encoder == "libopus" and source.nb_channels > 2:
            layouts = ("stereo",)
        for layout in dict.fromkeys(layouts):
            yield functools.partial(Sound, encoder=encoder, layout=layout), word
    elif name in _TEXT and kind in ("mp4", "mov"):
        make = functools.partial(Text, codec="mov_text", encode=mov_text)
        yield make, f"{name} rewritten as mov_text, without styles"
    elif name in _TEXT:
        make = functools.partial(Text, codec="webvtt", encode=str.encode)
        yield make, f"{name} rewritten as WebVTT, without styles"


def _first_packets(source, stream):
    """Yield the first packets of a stream's counterpart in another opening of its file."""
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
