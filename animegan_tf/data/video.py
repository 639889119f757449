"""Films: upright frames with their exact times, in order or at given times. No TensorFlow.

Decoding is FFmpeg's, through PyAV. Conventions:

- Pictures are uint8 RGB (height, width, 3), or gray (height, width), turned as the film's display
  matrix says, with square pixels (an anamorphic side is stretched, never shrunk). Every picture of
  one film has the film's size.
- Times are `fractions.Fraction` seconds from the film's first frame, exact also when the frame rate
  varies.
- Untagged YUV is taken for BT.709 above standard definition, as players do, otherwise for BT.601.
  HDR is not tone-mapped.
- Memory holds a few frames, whatever the film's length.
"""

import bisect
import dataclasses
import pathlib
import re
from fractions import Fraction

import av

from animegan_tf.data.video_frame import Converter, Deinterlacer, Frame, Orientation
from animegan_tf.data.video_names import DEINTERLACE, parse_time, timecode
from animegan_tf.errors import InputError

# MPEG program streams and raw MPEG video: a time stamp need not belong to the frame it stands at,
# so that after a seek times may be one frame off.
_INEXACT_SEEKS = ("mpeg", "mpegvideo")
# Deinterlacing a frame looks at the one before it, so what is before the wanted one is decoded too.
_LEAD = Fraction(1, 4)
# Transfer characteristics (ITU-T H.273) of PQ and HLG.
_HDR = (16, 18)
# Between frames without time stamps in a film without a frame rate.
_STEP = Fraction(1, 25)
# How far before the wanted frame a seek is tried again, in seconds, when it had landed behind it.
_BACK_OFF = (0, 1, 4, 16, 64)
# Give up waiting for a key frame after a seek; decode from the beginning instead.
_LONGEST_WAIT = 20
# Without knowing the key frames: how far away the next wanted frame must be to seek it.
_SEEK_BEYOND = 10
# A film that ends this much before its declared end is cut short. The container's own duration may
# be that of a longer sound track.
_MISSING, _MISSING_OF_CONTAINER = 1, 10


@dataclasses.dataclass(frozen=True)
class VideoInfo:
    """What a film is.

    Attributes:
        path: the file.
        height, width: of the upright picture with square pixels.
        frame_rate: frames per second on average, or None.
        duration: seconds, as the file says, or None; MPEG program streams often say it wrong.
        interlaced: whether its first frame, or the reader's user, says so.
        hdr: whether it has a high dynamic range (PQ or HLG), which is shown too pale here.
        codec, pixel_format: FFmpeg's names.
    """

    path: pathlib.Path
    height: int
    width: int
    frame_rate: Fraction | None
    duration: float | None
    interlaced: bool
    hdr: bool
    codec: str
    pixel_format: str

    def __str__(self):
        rate = f", {float(self.frame_rate):.5g} frames/s" if self.frame_rate else ""
        length = f", {timecode(self.duration)}" if self.duration is not None else ""
        kind = "".join([", interlaced" * self.interlaced, ", HDR" * self.hdr])
        kind = f"{self.codec}, {self.pixel_format}{kind}"
        return f"{self.path.name}: {self.width}x{self.height}{rate}{length}, {kind}"


class VideoReader:
    """Reads one film; a context manager. One use of `frames` or `frames_at` at a time.

    Attributes:
        info: the `VideoInfo`.
        problems: what was wrong with the film, a sentence each: where it stopped, damaged frames.
            Complete when `frames()` has come to its end.
        clean_times: False once time stamps were missing or went back. Times are then counted on,
            the same whenever the film is read from its beginning; set to False, it always is.
    """

    def __init__(self, path, deinterlace="auto"):
        """Open the film and decode its first frame.

        Args:
            path: the file.
            deinterlace: "auto" (frames that say they are interlaced), "on" (all) or "off".

        Raises `InputError` when it is no film or none of its frames can be decoded.
        """
        if deinterlace not in DEINTERLACE:
            raise InputError(
                f"deinterlace: expected one of {', '.join(DEINTERLACE)}, received {deinterlace!r}"
            )
        self._path, self._deinterlace = pathlib.Path(path), deinterlace
        self._container, self._converter = None, None
        self.problems, self.clean_times, self._seekable = [], True, True
        self._start_over()
        try:
            self._probe()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Close the file."""
        if self._container is not None:
            self._container.close()
            self._container = None

    # --- reading ---

    def frames(self, start=0, end=None, as_stored=False):
        """Yield each `Frame` with `start <= time < end`, in order; `end=None` is the film's end.

        A later start is reached by seeking to the key frame before it, where the times of this kind
        of file can be relied on after a seek; otherwise all before it is decoded. With `as_stored`
        interlaced frames are left so, which is faster.
        """
        deinterlace = self._deinterlace != "off" and not as_stored
        first = start - _LEAD if deinterlace and self.info.interlaced else start
        frames = self._from(first) if first > 0 else self._from_beginning()
        frames = (frame for frame in frames if frame.time >= first)
        if deinterlace:
            frames = Deinterlacer(self._deinterlace == "on").run(frames)
        for frame in frames:
            if end is not None and frame.time >= end:
                break
            if frame.time >= start:
                yield frame

    def frames_at(self, times, keyframes=None):
        """Yield the `Frame` at each of `times`, in order; where there is none, nothing.

        Args:
            times: of frames, as `frames` gave them.
            keyframes: sorted times of key frames, if known: a seek is made where it saves decoding.
        """
        current, frames = None, iter(())
        for time in sorted(times):
            if current is None or self._seek_pays(current.time, time, keyframes):
                frames = self.frames(time)
            elif current.time > time:
                continue
            current = next((frame for frame in frames if frame.time >= time), None)
            if current is None:
                return
            if current.time == time:
                yield current

    def glimpses(self, count, start=0, end=None):
        """Yield up to `count` key frames spread evenly over the film; no other frame is decoded.

        Fewer when there are not that many, none when seeking is impossible. They are interlaced as
        stored, and times may be one frame off.
        """
        end = self.info.duration if end is None else end
        if end is None:
            return
        seen = set()
        for index in range(count):
            time = start + (end - start) * (index + Fraction(1, 2)) / count
            if not self._seek(time):
                return
            frame = self._next_key_frame(seen)
            if frame is not None and start <= frame.time < end:
                yield frame

    def _exact_seeks(self):
        inexact = self._container is None or self._container.format.name in _INEXACT_SEEKS
        return self._seekable and self.clean_times and not inexact

    def _seek_pays(self, now, time, keyframes):
        if not self._exact_seeks():
            return False
        if keyframes is None:
            return time - now > _SEEK_BEYOND
        before = bisect.bisect_right(keyframes, time)
        return before > 0 and keyframes[before - 1] > now

    def _from(self, start):
        """Decode from the last key frame before `start`, or from the beginning."""
        for back in _BACK_OFF:
            if start - back <= 0 or not self._exact_seeks() or not self._seek(start - back):
                break
            frames = self._since_key_frame()
            first = next(frames, None)
            if first is not None and first.time <= start:
                yield first
                yield from frames
                return
        yield from self._from_beginning()

    def _from_beginning(self):
        """Decode the whole film, and find out what is wrong with it."""
        self._start_over()
        self.problems.clear()
        try:
            yield from self._decode()
            declared, tolerance = self._declared_duration()
            ended = self._last or 0
            if not self.problems and declared and ended < declared - tolerance:
                self.problems.append(
                    f"cut short: stops at {timecode(ended)} of {timecode(declared)}"
                )
        finally:
            if self._damaged:
                first = timecode(self._first_damage)
                self.problems.append(f"{self._damaged} damaged frame(s), the first at {first}")

    # --- opening ---

    def _start_over(self):
        """Open the file anew, at its beginning."""
        self.close()
        self._container = self._open()
        self._stream = self._pick_stream()
        self._stream.thread_type = "AUTO"
        self._time_base = self._stream.time_base
        self._last = None
        self._damaged, self._first_damage = 0, None

    def _open(self):
        try:
            return av.open(str(self._path), metadata_errors="replace")
        except (av.error.FileNotFoundError, av.error.IsADirectoryError):
            found = "a folder" if self._path.is_dir() else "nothing"
            raise InputError(f"video: expected a film, found {found} at {self._path}") from None
        except av.error.FFmpegError as error:
            if isinstance(error, OSError):
                raise
            raise InputError(
                f"{self._path}: expected a film, received something else or one damaged beyond "
                f"reading ({error.strerror})"
            ) from error

    def _pick_stream(self):
        """The video stream with the largest picture; covers of music files do not count."""
        kind, path = self._container.format.name, self._path
        if kind == "image2" or kind.endswith("_pipe"):
            raise InputError(f"{path}: expected a film, received a picture")
        cover = av.stream.Disposition.attached_pic
        streams = [one for one in self._container.streams.video if not one.disposition & cover]
        if not streams:
            kinds = {
                "a cover picture" if one.type == "video" else one.type
                for one in self._container.streams
            }
            found = " and ".join(sorted(kinds)) or "nothing"
            raise InputError(f"{path}: expected a film, received no video but {found}")
        streams = [stream for stream in streams if stream.codec_context is not None]
        if not streams:
            raise InputError(f"{path}: FFmpeg has no decoder for its video")
        return max(streams, key=lambda stream: stream.width * stream.height)

    def _probe(self):
        """Decode one frame for what headers do not tell."""
        stream = self._stream
        decoded = next(self._packets_decoded(), None)
        if decoded is None:
            raise InputError(f"{self._path}: none of its video frames can be decoded")
        pts = stream.start_time
        if pts is None:
            pts = decoded.dts if decoded.pts is None else decoded.pts
        self._origin = pts or 0
        orientation = Orientation.of(decoded)
        aspect = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
        height = max(1, round(decoded.height * max(1, 1 / aspect)))
        width = max(1, round(decoded.width * max(1, aspect)))
        if orientation.transposed:
            height, width = width, height
        self._converter = Converter(height, width, orientation)
        self.info = VideoInfo(
            path=self._path,
            height=height,
            width=width,
            frame_rate=stream.average_rate or None,
            duration=self._declared_duration()[0],
            interlaced=self._deinterlace == "on" or decoded.interlaced_frame,
            hdr=decoded.color_trc in _HDR,
            codec=stream.codec_context.name,
            pixel_format=decoded.format.name,
        )

    def _declared_duration(self):
        """(seconds or None, how much less is too little)."""
        stream = self._stream
        known = []
        if stream.duration:
            known.append(stream.duration * stream.time_base)
        if stream.frames and stream.average_rate:
            known.append(stream.frames / stream.average_rate)
        tag = stream.metadata.get("DURATION", "")  # Matroska
        if re.fullmatch(r"\d+:\d\d:\d\d(\.\d+)?", tag):
            known.append(parse_time("DURATION", tag))
        if known:
            return float(max(known)), _MISSING
        if self._container.duration:
            return self._container.duration / av.time_base, _MISSING_OF_CONTAINER
        return None, 0

    # --- decoding ---

    def _packets_decoded(self):
        """Yield FFmpeg's frames from where the file is; what fails is noted in `problems`."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                where = "its beginning" if self._last is None else timecode(self._last)
                self.problems.append(f"cannot be read beyond {where} ({error.strerror})")
                return
            try:
                decoded = packet.decode()
            except av.error.FFmpegError:  # the decoder goes on with the next packet
                self._count_damage()
                continue
            yield from decoded

    def _decode(self):
        """Yield each `Frame` from where the file is, interlaced as it is."""
        self._last = None
        self._damaged, self._first_damage = 0, None
        for decoded in self._packets_decoded():
            frame = self._frame(decoded)
            self._last = frame.time
            if frame.damaged:
                self._count_damage()
            yield frame

    def _frame(self, decoded):
        interlaced = {"on": True, "off": False}.get(self._deinterlace, decoded.interlaced_frame)
        time, key, damaged = self._time(decoded), decoded.key_frame, decoded.is_corrupt
        return Frame(decoded, self._converter, time, key, damaged, interlaced)

    def _count_damage(self):
        self._damaged += 1
        if self._first_damage is None:
            self._first_damage = self._last or Fraction(0)

    def _time(self, decoded):
        """The time of a decoded frame; later than the one before, whatever the file says."""
        pts = decoded.dts if decoded.pts is None else decoded.pts
        if pts is not None:
            tick = self._time_base
            time = Fraction((pts - self._origin) * tick.numerator, tick.denominator)
            if self._last is None or time > self._last:
                return time
        # No time, or one that was passed already: for instance two recordings in one file.
        self.clean_times = False
        if self._last is None:
            return Fraction(0)
        return self._last + (1 / self.info.frame_rate if self.info.frame_rate else _STEP)

    def _seek(self, time):
        """Go to the key frame before `time`; whether that is possible in this film."""
        if self._seekable:
            try:
                offset = int(time / self._time_base) + self._origin
                self._container.seek(offset, stream=self._stream)
            except av.error.FFmpegError:
                self._seekable = False
        return self._seekable

    def _next_key_frame(self, seen):
        """Decode nothing but the next key frame, unless its packet is in `seen`, where it is put.

        The file must then be sought or reopened.
        """
        self._last = None
        try:
            packets = self._container.demux(self._stream)
            packet = next((one for one in packets if one.size and one.is_keyframe), None)
            if packet is None or packet.pts in seen:
                return None
            seen.add(packet.pts)
            decoded = [*packet.decode(), *self._stream.decode(None)]
        except av.error.FFmpegError:
            return None
        return self._frame(decoded[0]) if decoded else None

    def _since_key_frame(self):
        """Decode after a seek: what comes before the first key frame may refer to what is missing.

        Nothing when no key frame comes for long: this film does not mark them.
        """
        first = None
        frames = self._decode()
        for frame in frames:
            first = frame.time if first is None else first
            if frame.key:
                yield frame
                yield from frames
                return
            if frame.time - first > _LONGEST_WAIT:
                self._seekable = False
                return
