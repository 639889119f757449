"""What films can be written as, and which files are films. Imports neither PyAV nor TensorFlow."""

import dataclasses
import pathlib

from animegan_tf.images import formats
from animegan_tf.video.timecode import VIDEO_SUFFIXES


@dataclasses.dataclass(frozen=True)
class Codec:
    """How frames are compressed.

    Attributes:
        encoder: FFmpeg's name.
        crf: quality by default, smaller is better; None for a codec that has none.
        worst: the largest `crf`.
        containers: that may hold it.
        even: whether sides must be even: an odd one then gets a row or column more.
        pixels: FFmpeg's pixel format.
        deep: that with 10 bits, or None.
        options: for FFmpeg.
        reorder: how many places early packets come, where the encoder does not say so itself.
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
        reorder=2,  # what x265 writes for its pyramid of B frames, and does not tell FFmpeg
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
    """The name of the codec of a container that none is named for."""
    return "vp9" if container == "webm" else "h264"


def is_video(path):
    """Whether the file is one for `stylize_video`: a film, or an animated GIF, WebP, PNG or AVIF.

    An image is none, even with a film's suffix.
    """
    suffix = pathlib.Path(path).suffix.lower()
    if not pathlib.Path(path).is_file():  # a pipe would be waited for
        return suffix in VIDEO_SUFFIXES and suffix not in (".gif", ".webp")
    if formats.kind_of(formats.head_of(path)) is None and suffix != ".gif":
        return suffix in VIDEO_SUFFIXES
    return formats.is_animated(path)
