"""Formats of output videos, and detection of videos. Imports neither PyAV nor TensorFlow."""

import dataclasses
import pathlib
import re

from animegan_tf.images import formats
from animegan_tf.video.timecode import VIDEO_SUFFIXES


@dataclasses.dataclass(frozen=True)
class Codec:
    """A video codec.

    Attributes:
        encoder: FFmpeg's name.
        crf: default quality, smaller is better; None if the codec has no such setting.
        worst: the largest `crf`.
        containers: the containers that can hold it.
        even: whether sides must be even; odd ones are padded with a row or column.
        pixels: FFmpeg's pixel format.
        deep: the pixel format with 10 bits, or None.
        options: options for FFmpeg.
        reorder: B-frame reorder delay in frames, for encoders that do not report it.
    """

    encoder: str
    crf: int | None
    worst: int
    containers: tuple
    even: bool = True
    pixels: str = "yuv420p"
    options: tuple = ()
    reorder: int = 0
    deep: str | None = None


CODECS = {
    "h264": Codec("libx264", 18, 51, ("mp4", "mov", "mkv")),
    "hevc": Codec(
        "libx265", 20, 51, ("mp4", "mov", "mkv"), options=(("x265-params", "log-level=error"),),
        reorder=2,  # for x265's B-frame pyramid
        deep="yuv420p10le",
    ),
    "av1": Codec("libsvtav1", 26, 63, ("mp4", "mkv", "webm"), options=(("preset", "8"),),
                 deep="yuv420p10le"),
    "vp9": Codec(
        "libvpx-vp9", 22, 63, ("mp4", "mkv", "webm"), even=False,
        options=(("b", "0"), ("deadline", "good"), ("cpu-used", "4"), ("row-mt", "1")),
    ),
    "prores": Codec(
        "prores_ks", None, 0, ("mov", "mkv"), pixels="yuv422p10le", deep="yuv422p10le",
        options=(("profile", "hq"), ("vendor", "apl0")),
    ),
    "ffv1": Codec("ffv1", None, 0, ("mkv",), even=False, pixels="bgr0"),
}  # fmt: skip
ANIMATIONS = ("gif", "webp")
# FFmpeg's names.
CONTAINERS = {"mp4": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm"}
# How videos begin: MP4 and MOV, Matroska, AVI, MXF, ASF, FLV, Ogg, IVF, RealMedia, NUT, raw frames,
# MPEG program streams and MPEG-1 or 2, transport streams (M2TS has four more bytes).
_STARTS = re.compile(
    rb"....(ftyp|moov|mdat|wide)|\x1a\x45\xdf\xa3|RIFF....AVI |\x06\x0e\x2b\x34"
    rb"|\x30\x26\xb2\x75\x8e\x66\xcf\x11|FLV\x01|OggS|DKIF|\.RMF|nut/mult|YUV4MPEG2"
    rb"|\0\0\x01[\xba\xb3]|G.{187}G.{187}G|.{4}G.{191}G.{191}G",
    re.DOTALL,
)
_READ = 400


def default_codec(container):
    """The name of the default codec of a container."""
    return "vp9" if container == "webm" else "h264"


def is_video(path):
    """Whether the file is a video, or an animated GIF, WebP, PNG or AVIF.

    A still image is not, even with the suffix of a video. Otherwise the suffix or the content of a
    video is enough.
    """
    suffix = pathlib.Path(path).suffix.lower()
    if not pathlib.Path(path).is_file():  # opening a pipe would block
        return suffix in VIDEO_SUFFIXES and suffix not in (".gif", ".webp")
    if formats.kind_of(formats.head_of(path)) is None and suffix != ".gif":
        return suffix in VIDEO_SUFFIXES or bool(_STARTS.match(formats.head_of(path, _READ)))
    return formats.is_animated(path)
