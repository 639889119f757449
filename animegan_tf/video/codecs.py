"""What films can be written as, and which files are films. Imports neither PyAV nor TensorFlow."""

import dataclasses
import pathlib

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
    """Whether the file is one for `stylize_video`: a film, or a GIF or WebP with several frames."""
    suffix = pathlib.Path(path).suffix.lower()
    if suffix == ".webp":
        return _moving_webp(path)
    if suffix == ".gif":
        return _moving_gif(path)
    return suffix in VIDEO_SUFFIXES


def _moving_webp(path):
    """By the animation flag of its VP8X chunk (Google, WebP Container Specification)."""
    try:
        with open(path, "rb") as file:
            start = file.read(21)
    except OSError:
        return False
    return start[:4] == b"RIFF" and start[8:16] == b"WEBPVP8X" and bool(start[20] & 0x02)


def _moving_gif(path):
    """Whether there is a second image block (GIF89a specification)."""
    try:
        with open(path, "rb") as file:
            return _gif_images(file) > 1
    except (OSError, IndexError):
        return False


def _gif_images(file):
    """Count image blocks up to 2."""
    header = file.read(13)
    if header[:3] != b"GIF":
        return 0
    _skip_colours(file, header[10])
    images = 0
    while images < 2:
        kind = file.read(1)
        if kind == b"\x2c":
            images += 1
            _skip_colours(file, file.read(9)[8])
            file.read(1)
        elif kind == b"\x21":
            file.read(1)
        else:
            break
        while size := file.read(1)[0]:
            file.seek(size, 1)
    return images


def _skip_colours(file, flags):
    if flags & 0x80:
        file.seek(3 * 2 ** ((flags & 7) + 1), 1)
