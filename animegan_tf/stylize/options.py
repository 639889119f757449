"""What can be asked for a film, checked. Imports neither PyAV nor TensorFlow."""

import dataclasses
import pathlib
from fractions import Fraction

from animegan_tf.errors import InputError
from animegan_tf.video.codecs import ANIMATIONS, CODECS, CONTAINERS, default_codec
from animegan_tf.video.timecode import parse_time

# What runs a generator outside training; "auto" leaves the choice to who runs it.
ENGINES = ("auto", "keras", "litert")
HDR = ("sdr", "keep")
# Short side, in pixels, that larger photos are drawn with.
DRAW_SIDE = 720

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
        bits: of each colour in the file, 8 or 10 (hevc, av1; prores always has 10). The network's
            results have 8; 10 keep their gradients from further rounding.
        crf: quality, smaller is better, by default the codec's (18 for h264); animations have none.
        container: "mp4", "mov", "mkv", "webm", "gif" or "webp"; by default the source's where it
            takes H.264 (WebM becomes MKV), for others MP4.
        start, end: the part to do, in seconds from the film's first frame or as h:mm:ss; `end` is
            not included.
        stabilize: keep brightness and colours from flickering, see `animegan_tf.stylize.flicker`.
        hdr: "sdr" tone-maps PQ and HLG to BT.709, "keep" leaves the colours as they are stored.
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
    hdr: str = "sdr"
    bits: int = 8
    resume: bool = False
    engine: str = "auto"

    def check(self):
        """Raise `InputError` for what cannot be; returns the options with seconds as `Fraction`."""
        _one_of("codec", self.codec, CODECS)
        _one_of("engine", self.engine, ENGINES)
        _one_of("hdr", self.hdr, HDR)
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
            expected = f"0 to {codec.worst}" if codec.crf is not None else "none"
            raise InputError(f"crf: expected {expected} for {name}, received {self.crf}")
        if self.bits != 8 and (self.bits != 10 or codec.deep is None):
            deep = ", ".join(name for name, one in CODECS.items() if one.deep)
            raise InputError(
                f"bits: expected 8, or 10 with one of the codecs {deep}, received {self.bits} for "
                f"{name}"
            )
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
        name = "ffv1" if container in ANIMATIONS else self.codec or default_codec(container)
        codec = CODECS[name]
        if self.bits == 10 and codec.deep is not None:
            codec = dataclasses.replace(codec, pixels=codec.deep)
        return name, codec, codec.crf if self.crf is None else self.crf


def result_suffix(path, options):
    """The suffix for the result of the film at `path`: its own where that fits."""
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
