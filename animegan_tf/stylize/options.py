"""What can be asked for photos and films, checked. Imports neither PyAV nor TensorFlow."""

import dataclasses
import pathlib
from fractions import Fraction

from animegan_tf.errors import InputError
from animegan_tf.images import formats
from animegan_tf.validation import check_choice, check_seconds
from animegan_tf.video.codecs import ANIMATIONS, CODECS, CONTAINERS, default_codec
from animegan_tf.video.timecode import DEINTERLACE, parse_time

# The inference engines; "auto" chooses.
ENGINES = ("auto", "keras", "litert")
HDR = ("sdr", "keep")
# Short side, in pixels, that larger photos are drawn with.
DRAW_SIDE = 720

PHOTO_FORMATS = tuple(formats.WRITTEN)

# Results keep the container of these; others become MP4, which keeps every time stamp exactly.
_KEPT = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "mkv", ".webm": "webm", ".gif": "gif",
    ".webp": "webp",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class PhotoOptions:
    """How results of photos are written.

    Attributes:
        format: one of `PHOTO_FORMATS`; by default the photo's own, or PNG for one that is not
            written. Transparent photos are laid on white for JPEG.
        quality: 1 to 100, for JPEG, WebP, AVIF and HEIC; by default 95, AVIF and HEIC 90, and a
            WebP is compressed without loss where the photo's was.
        strip_metadata: leave out what the photo says about its date, place and camera.
        keep_profile: convert the result back to the photo's colour profile, instead of sRGB.
        bits: of each colour, 8 or 16. With 16 the network's output is not rounded to 8 bits;
            outputs are PNG or TIFF, by default PNG unless the photo is a TIFF.
    """

    format: str | None = None
    quality: int | None = None
    strip_metadata: bool = False
    keep_profile: bool = False
    bits: int = 8

    def check(self):
        """Raise `InputError` for what cannot be; returns the options."""
        if self.bits not in (8, 16):
            raise InputError(f"bits: expected 8 or 16 for photos, received {self.bits}")
        if self.bits == 16 and self.format not in (None, *formats.DEEP):
            deep = " and ".join(formats.DEEP)
            raise InputError(f"bits: expected 8, or 16 for {deep}, received 16 for {self.format}")
        if self.bits == 16 and self.keep_profile:
            raise InputError("keep_profile: expected 8 bits with it, received 16")
        if self.format is not None:
            check_choice("format", self.format, PHOTO_FORMATS)
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise InputError(f"quality: expected 1 to 100, received {self.quality}")
        return self


@dataclasses.dataclass(frozen=True)
class VideoOptions:
    """Options of stylising videos.

    Attributes:
        codec: one of `CODECS`; by default h264, in WebM vp9.
        bits: of each colour in the file, 8 or 10 (hevc, av1; prores always has 10). The network's
            results have 8; 10 keep their gradients from further rounding.
        crf: quality, smaller is better, by default the codec's (18 for h264); animations have none.
        container: "mp4", "mov", "mkv", "webm", "gif" or "webp"; by default the source's where it
            is one of these, for others MP4.
        start, end: the part to do, in seconds from the film's first frame or as h:mm:ss; `end` is
            not included.
        stabilize: keep brightness and colours from flickering, see `animegan_tf.stylize.flicker`.
        hdr: "sdr" tone-maps PQ and HLG to BT.709, "keep" leaves the colours as they are stored.
        deinterlace: "auto" (frames that say they are interlaced), "on" (all) or "off".
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
    deinterlace: str = "auto"
    bits: int = 8
    resume: bool = False
    engine: str = "auto"

    def check(self):
        """Raise `InputError` for what cannot be; returns the options with seconds as `Fraction`."""
        check_choice("engine", self.engine, ENGINES)
        check_choice("hdr", self.hdr, HDR)
        check_choice("deinterlace", self.deinterlace, DEINTERLACE)
        if self.codec is not None:
            check_choice("codec", self.codec, CODECS)
        if self.container is not None:
            check_choice("container", self.container, (*CONTAINERS, *ANIMATIONS))
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
        """The container of the output for the video at `path`.

        Raises `InputError` for a `crf` with an animation.
        """
        if self.container is not None:
            return self.container
        # An animation may have another one's suffix.
        kind = formats.kind_of(formats.head_of(path))
        suffix = {"png": ".webp", "avif": ".webp"}.get(kind, pathlib.Path(path).suffix.lower())
        container = kind if kind in ANIMATIONS else _KEPT.get(suffix)
        container = container or "mp4"
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
        if self.bits == 10 and codec.deep is not None:
            codec = dataclasses.replace(codec, pixels=codec.deep)
        return name, codec, codec.crf if self.crf is None else self.crf


def result_suffix(path, options):
    """The suffix of the output for the video at `path`: the same one if it fits the container."""
    container = options.container_for(path)
    suffix = pathlib.Path(path).suffix
    same = {"mp4": (".mp4", ".m4v")}.get(container, (f".{container}",))
    return suffix if suffix.lower() in same else f".{container}"


def _seconds(name, value):
    if value is None or isinstance(value, Fraction):
        return value
    seconds = Fraction(parse_time(name, value)).limit_denominator(10**6)
    check_seconds(name, float(seconds), 0)
    return seconds
