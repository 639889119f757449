"""An open video file: its properties, and decoding from its current position. No TensorFlow.

The base of `reader.VideoReader`, whose conventions hold here.
"""

import dataclasses
import itertools
import pathlib
import re
from fractions import Fraction

import av

from animegan_tf.errors import InputError
from animegan_tf.validation import check_choice
from animegan_tf.video import crop, tonemap
from animegan_tf.video.frame import Converter, Frame, Orientation
from animegan_tf.video.opening import (
    check_size,
    decoder_options,
    image_streams,
    open_video,
    shown,
)
from animegan_tf.video.timecode import DEINTERLACE, parse_time, timecode
from animegan_tf.video.whole import count_packets, is_cut

# Codec tags of Dolby Vision, and the transfer of profile 5, which only Dolby's decoders support.
_DOLBY_TAGS, _UNSPECIFIED = ("dvh1", "dvhe", "dav1"), 2
# Matrix coefficients (ITU-T H.273) that FFmpeg's scaler does not support.
_MATRICES = {
    3: "3 (reserved)", 8: "YCgCo", 10: "BT.2020 with constant luminance", 11: "SMPTE ST 2085",
    12: "derived from chromaticities", 13: "derived from chromaticities, constant luminance",
    14: "ICtCp", 15: "IPT-C2", 16: "YCgCo-Re", 17: "YCgCo-Ro",
}  # fmt: skip
_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
# These have no PTS, like files whose PTS go back among the first frames: a frame's time is the DTS
# of the packet after which the decoder returns it.
_WITHOUT_PTS, _PROBED = ("asf", "avi", "gxf"), 4
# Seconds between frames without timestamps in a video without a frame rate.
_STEP = Fraction(1, 25)
# For files without a frame rate FFmpeg reports that of their clock, which is higher than this.
_FASTEST = 1000
# A video that ends these seconds before its declared end is truncated. The duration of the
# container may be that of a longer sound track.
_MISSING, _MISSING_OF_CONTAINER = 1, 10


@dataclasses.dataclass(frozen=True)
class VideoInfo:
    """The properties of a video.

    Attributes:
        path: the file.
        height, width: size of the upright frames with square pixels.
        frame_rate: average frames per second, or None.
        duration: declared seconds, or None; often wrong in MPEG program streams.
        interlaced: whether the first frame is marked as interlaced, or `deinterlace` is "on".
        hdr: whether it has a high dynamic range (PQ or HLG).
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


def frame_rate(stream):
    """The average frames per second of PyAV's stream as a `Fraction`, or None if unknown."""
    rates = [rate for rate in (stream.average_rate, stream.guessed_rate) if rate]
    rates = [Fraction(rate) for rate in rates if rate <= _FASTEST]
    # GXF has the rate of fields.
    halved = len(rates) == 2 and rates[0] == 2 * rates[1]
    return next(iter(rates[halved:]), None)


class VideoFile:
    """An open video file.

    Attributes:
        path: the file.
        info: the `VideoInfo`.
        problems, clean_times: see `VideoReader`.
        container, stream: PyAV's.
        time_base, origin: unit of the timestamps in seconds, and timestamp of the first frame.
        last: time of the last decoded frame, or None.
        read_until: end of the packets that were read, in seconds from the first frame.
        damaged, first_damage: number of damaged frames since `start_over`, time of the first.
        encrypted: whether there were encrypted packets since then.
    """

    def __init__(self, path, deinterlace="auto", threads="AUTO", keep_hdr=False):
        """Arguments and errors are those of `VideoReader`."""
        check_choice("deinterlace", deinterlace, DEINTERLACE)
        self.path, self._deinterlace, self._threads = pathlib.Path(path), deinterlace, threads
        self.container, self._converter, self._keep_hdr = None, None, keep_hdr
        self.problems, self.clean_times, self.origin = [], True, 0
        self._crop = None
        self._ahead = None  # of files without PTS: ticks from a frame's time to its DTS
        try:
            self.start_over()
            self._probe()
        except BaseException:
            self.close()
            raise

    def close(self):
        """Close the file."""
        if self.container is not None:
            self.container.close()
            self.container = None

    # --- opening ---

    def start_over(self):
        """Open the file again, at its beginning."""
        self.close()
        self.container = open_video(self.path)
        self.stream = self._pick_stream()
        check_size(self.path, self.stream.height, self.stream.width)
        sides = crop.declared(self.path) if self.container.format.name.startswith("mat") else None
        self._crop = crop.Crop(sides) if sides else None
        self.stream.codec_context.options = decoder_options()
        self.stream.thread_type = self._threads
        self.time_base = Fraction(self.stream.time_base)
        self.last = None
        self.damaged, self.first_damage, self.encrypted = 0, None, False
        self._begin_reading()
        no_pts = self.container.format.name in _WITHOUT_PTS
        if no_pts and self.stream.codec_context.has_b_frames:
            self._ahead = 0
        if self._ahead is not None or self._deinterlace == "telecine":
            self.clean_times = False

    def _begin_reading(self):
        self.read_until, self._longest = Fraction(0), Fraction(0)
        # FFmpeg's decoders ignore the alpha of VP8 and VP9; libvpx does not mark keyframes.
        self._alpha, self._keys = None, set()
        if ("alpha_mode", "1") in {(name.lower(), a) for name, a in self.stream.metadata.items()}:
            name = _WITH_ALPHA.get(self.stream.codec_context.name)
            if name in av.codecs_available:
                self._alpha = av.CodecContext.create(name, "r")

    def _pick_stream(self):
        """The video stream that players show; covers of music files are ignored."""
        kind, path = self.container.format.name, self.path
        if kind == "image2" or kind.endswith("_pipe"):
            raise InputError(f"{path}: expected a video, received an image")
        streams = image_streams(self.container)
        if not streams:
            kinds = {
                "a cover image" if other.type == "video" else other.type
                for other in self.container.streams
            }
            found = " and ".join(sorted(kinds)) or "nothing"
            raise InputError(f"{path}: expected a video, received {found}")
        streams = [stream for stream in streams if stream.codec_context is not None]
        if not streams:
            raise InputError(f"{path}: FFmpeg has no decoder for its video")
        return shown(streams)

    def _probe(self):
        """Decode one frame, for properties that are not in the headers."""
        stream = self.stream
        first = list(itertools.islice(self._decoded(), _PROBED))
        decoded = first[0] if first else None
        if decoded is None and self.encrypted:
            raise InputError(
                f"{self.path}: expected a video that can be decoded, received an encrypted one"
            )
        if decoded is None:
            raise InputError(f"{self.path}: none of its video frames can be decoded")
        if decoded.colorspace in _MATRICES:
            raise InputError(
                f"{self.path}: expected a colour matrix that can be converted, received "
                f"{_MATRICES[decoded.colorspace]}"
            )
        stamps = [frame.pts for frame in first if frame.pts is not None]
        if stamps != sorted(stamps) and decoded.dts is not None:
            self._ahead, self.clean_times = decoded.dts - min(stamps), False
            decoded.pts = min(stamps)
        pts = decoded.dts if decoded.pts is None else decoded.pts
        if stream.start_time is not None and self._ahead is None:
            pts = stream.start_time if pts is None else min(pts, stream.start_time)
        self.origin = pts or 0
        index = getattr(stream, "index_entries", ())
        # Matroska's index has only keyframes.
        whole = stream.frames and len(index) == stream.frames
        self._is_cut = is_cut(self.path, index if whole else ())
        self._count = sum(not entry.is_discard for entry in index) if whole else None
        orientation = Orientation.of(decoded)
        aspect = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
        height = max(1, round(decoded.height * max(1, 1 / aspect)))
        width = max(1, round(decoded.width * max(1, aspect)))
        check_size(self.path, height, width)
        rate = frame_rate(stream)
        if self._deinterlace == "telecine":
            if rate is None:
                raise InputError(f"deinterlace: expected a frame rate for telecine in {self.path}")
            rate *= Fraction(4, 5)
        if orientation.transposed:
            height, width = width, height
        self._converter = Converter(height, width, orientation, self._tone(decoded))
        self.info = VideoInfo(
            path=self.path,
            height=height,
            width=width,
            frame_rate=rate,
            duration=self.declared_duration()[0],
            interlaced=self._deinterlace == "on" or decoded.interlaced_frame,
            hdr=tonemap.is_hdr(decoded),
            codec=stream.codec_context.name,
            pixel_format=decoded.format.name,
        )

    def _tone(self, decoded):
        """The `ToneMapper` for FFmpeg frames like `decoded`, or None."""
        if self._keep_hdr:
            return None
        try:
            tagged = self.stream.codec_tag in _DOLBY_TAGS and decoded.color_trc == _UNSPECIFIED
        except UnicodeDecodeError:  # any four bytes, in a damaged file
            tagged = False
        if tagged or tonemap.is_dolby_profile_5(decoded):
            raise InputError(
                f"{self.path}: expected HDR10, HLG or SDR, received Dolby Vision profile 5, whose "
                "colours only Dolby's decoders support"
            )
        if not tonemap.is_hdr(decoded):
            return None
        return tonemap.ToneMapper(decoded.color_trc, tonemap.peak_of(decoded))

    @property
    def tone(self):
        """The `ToneMapper` of the frames, or None."""
        return self._converter.tone

    def declared_duration(self):
        """(declared seconds or None, tolerance for `cut_short`)."""
        stream = self.stream
        kind, begin = self.container.format.name, Fraction(0)
        # These durations count from 0, not from the first frame.
        if kind.startswith(("matroska", "flv")):
            begin = max(begin, (stream.start_time or 0) * self.time_base)
        if stream.duration:
            missing = _MISSING_OF_CONTAINER if kind == "asf" else _MISSING
            return float(stream.duration * stream.time_base), missing
        known = []
        rate = frame_rate(stream)
        if stream.frames and rate:
            known.append(stream.frames / rate)
        tag = stream.metadata.get("DURATION", "")  # Matroska
        if re.fullmatch(r"\d+:\d\d:\d\d(\.\d+)?", tag):
            known.append(parse_time("DURATION", tag) - begin)
        if known and max(known) > 0:
            return float(max(known)), _MISSING
        if self.container.duration:
            length = self.container.duration / av.time_base - float(begin)
            return max(0.0, length) or None, _MISSING_OF_CONTAINER
        return None, 0

    def expected_frames(self, start, end):
        """The number of frames with `start <= time < end`; None if unknown.

        It is approximate for a large file without an index, and for damaged ones.
        """
        of_five = 4 if self._deinterlace == "telecine" else 5
        if self._count and not (self._is_cut or start or end):
            return self._count * of_five // 5
        first, last = (
            None if not time else int(time / self.time_base) + self.origin for time in (start, end)
        )
        found = count_packets(self.path, self.stream.index, first, last)
        if found:
            return found * of_five // 5
        until, rate = self.info.duration, self.info.frame_rate
        if end is not None:
            until = min(end, until or end)
        known = until is not None and rate
        return max(1, round((float(until) - float(start)) * float(rate))) if known else None

    def cut_short(self, declared, tolerance):
        """A sentence if the video, read to its end, stops before `declared` seconds; or None.

        Allows `tolerance` seconds, and a last frame as long as the longest one, unless the file
        is shorter than its headers say.
        """
        ended, declared = max(self.last or 0, self.read_until), declared or 0
        allowed = 0 if self._is_cut else max(tolerance, 1.5 * self._longest)
        if not self._is_cut and ended >= declared - allowed:
            return None
        of = f" of {timecode(declared)}" if ended < declared else ""
        return f"cut short: stops at {timecode(self.last or 0)}{of}"

    # --- decoding ---

    def _decoded(self, packets=None):
        """Yield FFmpeg frames; adds errors to `problems`."""
        packets = iter(self.container.demux(self.stream) if packets is None else packets)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                self.problems.append(f"cannot be read beyond {self._where()} ({error.strerror})")
                return
            # Some decoders would decode encrypted packets to noise.
            if packet.has_sidedata("encryption_info"):
                self.encrypted = True
                self.problems.append(f"encrypted beyond {self._where()}")
                return
            stamp = packet.pts if packet.dts is None else packet.dts
            if stamp is not None:
                self._note_stamp(packet, stamp)
                if not packet.size:  # repeats the previous frame
                    continue
            try:
                decoded = self._decode(packet)
            except av.error.FFmpegError:  # continue with the next packet
                self._count_damage()
                continue
            for frame in decoded:
                if self._ahead is not None:
                    frame.pts = None if frame.dts is None else frame.dts - self._ahead
                yield self._crop(frame) if self._crop else frame

    def _decode(self, packet):
        if self._alpha is None:
            return packet.decode()
        if packet.is_keyframe:
            self._keys.add(packet.pts)
        return self._alpha.decode(packet if packet.size else None)

    def _note_stamp(self, packet, stamp):
        ends = max(stamp, packet.pts or stamp) + (packet.duration or 0) - self.origin
        self.read_until = max(self.read_until, ends * self.time_base)

    def _where(self):
        return "its beginning" if self.last is None else timecode(self.last)

    def decode(self, packets=None):
        """Yield each `Frame` of `packets`, or from the current position on; not deinterlaced."""
        self.last = None
        self.damaged, self.first_damage = 0, None
        self._begin_reading()
        for decoded in self._decoded(packets):
            frame = self.frame(decoded)
            self._longest = max(self._longest, frame.time - (self.last or frame.time))
            self.last = frame.time
            if frame.damaged:
                self._count_damage()
            yield frame

    def frame(self, decoded):
        """The `Frame` of an FFmpeg frame that follows the `last` one."""
        interlaced = {"on": True, "off": False}.get(self._deinterlace, decoded.interlaced_frame)
        time, damaged = self._time(decoded), decoded.is_corrupt
        key = bool(decoded.key_frame) or decoded.pts in self._keys
        return Frame(decoded, self._converter, time, key, damaged, interlaced)

    def _count_damage(self):
        self.damaged += 1
        if self.first_damage is None:
            self.first_damage = self.last or Fraction(0)

    def _time(self, decoded):
        """The time of an FFmpeg frame, always later than that of the previous one."""
        pts = decoded.dts if decoded.pts is None else decoded.pts
        if pts is not None:
            tick = self.time_base
            time = Fraction((pts - self.origin) * tick.numerator, tick.denominator)
            if self.last is None or time > self.last:
                return time
        # No timestamp, or an earlier one, for example of a second recording in the file.
        self.clean_times = False
        if self.last is None:
            return Fraction(0)
        rate = frame_rate(self.stream)
        return self.last + (1 / rate if rate else _STEP)
