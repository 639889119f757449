"""Formats of output videos, and detection of videos. Imports neither PyAV nor TensorFlow."""

import dataclasses
import pathlib

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


def default_codec(container):
    """The name of the default codec of a container."""
    return "vp9" if container == "webm" else "h264"


def is_video(path):
    """Whether the file is a video, or an animated GIF, WebP, PNG or AVIF.

    A still image is not, even with the suffix of a video.
    """
    suffix = pathlib.Path(path).suffix.lower()
    if not pathlib.Path(path).is_file():  # opening a pipe would block
        return suffix in VIDEO_SUFFIXES and suffix not in (".gif", ".webp")
    if formats.kind_of(formats.head_of(path)) is None and suffix != ".gif":
        return suffix in VIDEO_SUFFIXES
    return formats.is_animated(path)
