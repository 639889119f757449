"""What can be asked for a film, checked. Imports neither PyAV nor TensorFlow."""

import dataclasses
import pathlib
from fractions import Fraction

from animegan_tf.errors import InputError
from animegan_tf.recipes import ENGINES
from animegan_tf.video.timecode import VIDEO_SUFFIXES, parse_time


@dataclasses.dataclass(frozen=True)
class Codec:
    """How frames are compressed.

    Attributes:
        encoder: FFmpeg's name.
        crf: quality by default, smaller is better; None for a lossless codec.
        worst: the largest `crf`.
        containers: that may hold it.
        even: whether sides must be even: an odd one then gets a row or column more.
        pixels: FFmpeg's pixel format.
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


CODECS = {
    "h264": Codec("libx264", 18, 51, ("mp4", "mov", "mkv")),
    "hevc": Codec(
        "libx265", 20, 51, ("mp4", "mov", "mkv"), options=(("x265-params", "log-level=error"),),
        reorder=2,  # what x265 writes for its pyramid of B frames, and does not tell FFmpeg
    ),
    "av1": Codec("libsvtav1", 26, 63, ("mp4", "mkv", "webm"), options=(("preset", "8"),)),
    "vp9": Codec(
        "libvpx-vp9", 22, 63, ("mp4", "mkv", "webm"), even=False,
        options=(("b", "0"), ("deadline", "good"), ("cpu-used", "4"), ("row-mt", "1")),
    ),
    "ffv1": Codec("ffv1", None, 0, ("mkv",), even=False, pixels="bgr0"),
}  # fmt: skip
ANIMATIONS = ("gif", "webp")
# FFmpeg's names.
CONTAINERS = {"mp4": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm"}

# Results keep the container of these; others become MP4, which keeps every time stamp exactly.
_KEPT = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "mkv", ".webm": "mkv", ".gif": "gif",
    ".webp": "webp",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class VideoOptions:
    """How films are stylised.

    Attributes:
        codec: one of `CODECS`; by default h264, in WebM vp9.
        crf: quality, smaller is better, by default the codec's (18 for h264); animations have none.
        container: "mp4", "mov", "mkv", "webm", "gif" or "webp"; by default the source's where it
            takes H.264 (WebM becomes MKV), for others MP4.
        start, end: the part to do, in seconds from the film's first frame or as h:mm:ss; `end` is
            not included.
        stabilize: keep brightness and colours from flickering, see `animegan_tf.stylize.flicker`.
        resume: go on where an interrupted run stopped; begin where there is none.
        engine: "keras", "litert" (faster on most processors, but takes more memory), or "auto":
            without a GPU and for films of over a minute's work the one that measures faster;
            LiteRT's is kept in the user's cache for the next film of that size and style.
    """

    codec: str | None = None
    crf: int | None = None
    container: str | None = None
    start: Fraction | float | str | None = None
    end: Fraction | float | str | None = None
    stabilize: bool = True
    resume: bool = False
    engine: str = "auto"

    def check(self):
        """Raise `InputError` for what cannot be; returns the options with seconds as `Fraction`."""
        _one_of("codec", self.codec, CODECS)
        _one_of("engine", self.engine, ENGINES)
        _one_of("container", self.container, (*CONTAINERS, *ANIMATIONS))
        start, end = _seconds("start", self.start), _seconds("end", self.end)
        if end is not None and end <= (start or 0):
            raise InputError(
                f"end: expected later than start ({float(start or 0):g}), received {float(end):g}"
            )
        container = self.container
        if container in ANIMATIONS and (self.codec is not None or self.crf is not None):
            name = "codec" if self.codec is not None else "crf"
            raise InputError(f"{name}: expected none for the container {container}")
        if self.codec is not None and container in CONTAINERS:
            holds = CODECS[self.codec].containers
            if container not in holds:
                raise InputError(
                    f"container: expected one of {', '.join(holds)} for the codec {self.codec}, "
                    f"received {container}"
                )
        name = self.codec or _default_codec(container)
        codec = CODECS[name]
        if self.crf is not None and not (codec.crf is not None and 0 <= self.crf <= codec.worst):
            expected = f"0 to {codec.worst}" if codec.crf is not None else "none (it is lossless)"
            raise InputError(f"crf: expected {expected} for {name}, received {self.crf}")
        return dataclasses.replace(self, start=start, end=end)

    def container_for(self, path):
        """The container of the result of the film at `path`.

        Raises `InputError` for a `crf` where that is an animation.
        """
        if self.container is not None:
            return self.container
        container = _KEPT.get(pathlib.Path(path).suffix.lower(), "mp4")
        if self.codec is None and self.crf is not None and container in ANIMATIONS:
            raise InputError(
                f"crf: expected none for {path}, which stays a {container}, received {self.crf}; "
                "the container mp4 makes a film of it"
            )
        if self.codec is None or container in CODECS[self.codec].containers:
            return container
        # An animation that a codec is asked for, or what only Matroska holds.
        holds = CODECS[self.codec].containers
        return "mp4" if container in ANIMATIONS and "mp4" in holds else holds[-1]

    def codec_for(self, container):
        """(name, `Codec`, crf) for a container; of an animation what it is made from."""
        name = "ffv1" if container in ANIMATIONS else self.codec or _default_codec(container)
        codec = CODECS[name]
        return name, codec, codec.crf if self.crf is None else self.crf


def result_suffix(path, options):
    """The suffix for the result of the film at `path`: its own where that fits."""
    container = options.container_for(path)
    suffix = pathlib.Path(path).suffix
    same = {"mp4": (".mp4", ".m4v")}.get(container, (f".{container}",))
    return suffix if suffix.lower() in same else f".{container}"


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


def _default_codec(container):
    return "vp9" if container == "webm" else "h264"


def _one_of(name, value, known):
    if value is not None and value not in known:
        raise InputError(f"{name}: expected one of {', '.join(known)}, received {value!r}")


def _seconds(name, value):
    if value is None or isinstance(value, Fraction):
        return value
    seconds = Fraction(parse_time(name, value)).limit_denominator(10**6)
    if seconds < 0:
        raise InputError(f"{name}: expected 0 or more, received {value}")
    return seconds
