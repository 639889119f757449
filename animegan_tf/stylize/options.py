"""Options of stylising videos. Imports neither PyAV nor TensorFlow."""

import dataclasses
import pathlib
from fractions import Fraction

from animegan_tf.errors import InputError
from animegan_tf.video.codecs import ANIMATIONS, CODECS, CONTAINERS, default_codec
from animegan_tf.video.timecode import parse_time

# The inference engines; "auto" chooses.
ENGINES = ("auto", "keras", "litert")
# The short side, in pixels, at which larger photos are processed.
DRAW_SIDE = 720

# Containers that outputs keep; others become MP4, which stores all timestamps exactly.
_KEPT = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "mkv", ".webm": "mkv", ".gif": "gif",
    ".webp": "webp",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class VideoOptions:
    """Options of stylising videos.

    Attributes:
        codec: one of `CODECS`; by default h264, in WebM vp9.
        crf: quality, smaller is better; by default the codec's (18 for h264). Not for animations.
        container: "mp4", "mov", "mkv", "webm", "gif" or "webp"; by default that of the source if it
            supports H.264 (WebM becomes MKV), otherwise MP4.
        start, end: the part to process, in seconds from the first frame or as h:mm:ss; `end` is
            exclusive.
        stabilize: prevent flicker of brightness and colours, see `animegan_tf.stylize.flicker`.
        resume: continue an interrupted run, if there is one.
        engine: "keras", "litert" (faster on most CPUs, but needs more memory), or "auto": without a
            GPU, and for videos that take more than a minute, the faster one by measurement. The
            converted network is cached for the next video of that size and style.
    """

    codec: str | None = None
    crf: int | None = None
    container: str | None = None
    start: Fraction | float | str | None = None
    end: Fraction | float | str | None = None
    stabilize: bool = True
    resume: bool = False
    engine: str = "auto"

    def check(self) -> "VideoOptions":
        """Raise `InputError` for invalid values; returns the options with times as `Fraction`."""
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
        name = self.codec or default_codec(container)
        codec = CODECS[name]
        if self.crf is not None and not (codec.crf is not None and 0 <= self.crf <= codec.worst):
            expected = f"0 to {codec.worst}" if codec.crf is not None else "none (it is lossless)"
            raise InputError(f"crf: expected {expected} for {name}, received {self.crf}")
        return dataclasses.replace(self, start=start, end=end)

    def container_for(self, path):
        """The container of the output for the video at `path`.

        Raises `InputError` for a `crf` with an animation.
        """
        if self.container is not None:
            return self.container
        container = _KEPT.get(pathlib.Path(path).suffix.lower(), "mp4")
        if self.codec is None and self.crf is not None and container in ANIMATIONS:
            raise InputError(
                f"crf: expected none for {path}, which stays a {container}, received {self.crf}; "
                "the container mp4 converts it to a video"
            )
        if self.codec is None or container in CODECS[self.codec].containers:
            return container
        # An animation with an explicit codec, or a codec that only Matroska supports.
        holds = CODECS[self.codec].containers
        return "mp4" if container in ANIMATIONS and "mp4" in holds else holds[-1]

    def codec_for(self, container):
        """(name, `Codec`, crf) for a container; for animations those of the intermediate file."""
        name = "ffv1" if container in ANIMATIONS else self.codec or default_codec(container)
        codec = CODECS[name]
        return name, codec, codec.crf if self.crf is None else self.crf


def result_suffix(path, options):
    """The suffix of the output for the video at `path`: the same one if it fits the container."""
    container = options.container_for(path)
    suffix = pathlib.Path(path).suffix
    same = {"mp4": (".mp4", ".m4v")}.get(container, (f".{container}",))
    return suffix if suffix.lower() in same else f".{container}"


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
