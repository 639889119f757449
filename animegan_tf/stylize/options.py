"""The options of photos and videos, with their flags. Imports neither PyAV nor TensorFlow."""

import dataclasses
import pathlib
from fractions import Fraction

from animegan_tf.errors import InputError
from animegan_tf.images import formats
from animegan_tf.validation import check_fields, check_seconds, check_whole, option
from animegan_tf.video.codecs import ANIMATIONS, CODECS, CONTAINERS, default_codec
from animegan_tf.video.timecode import DEINTERLACE, parse_time

# The inference engines; "auto" chooses.
ENGINES = ("auto", "keras", "litert", "openvino")
PRECISIONS = ("auto", "float32", "bfloat16")
# Short side, in pixels, at which larger photos are processed.
DRAW_SIDE = 540
# The training size of the networks; outputs of smaller images are blotchy.
LEAST_DRAW_SIDE = 256

PHOTO_FORMATS = tuple(formats.WRITTEN)

# Outputs keep the container of these; others become MP4, which keeps every timestamp exactly.
_KEPT = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "mkv", ".webm": "webm", ".gif": "gif",
    ".webp": "webp",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class DrawOptions:
    """The working size of photos and videos, and how outputs are mixed with them."""

    draw_side: int = option(
        DRAW_SIDE,
        "Process photos and videos with a larger short side at this short side, and upsample the "
        "output to the photo's size with the photo as the guide: bolder lines, in a fraction of "
        "the time and memory. 0 processes photos at their own size.",
    )
    strength: float = option(
        1.0, "Weight of the output, 0 to 1; the rest is the photo.", least=0, most=1
    )
    keep_color: bool = option(False, "Give the output the photo's colours.")

    def check(self):
        """Raise `InputError` for invalid values; returns the options."""
        side = LEAST_DRAW_SIDE if self.draw_side == 0 else self.draw_side
        check_whole("draw_side", side, LEAST_DRAW_SIDE, kind="0 or a whole number")
        check_fields(self)
        return self


@dataclasses.dataclass(frozen=True)
class PhotoOptions:
    """How outputs of photos are written."""

    format: str | None = option(
        None,
        "Format of the outputs of photos. Default: the photo's own format, or PNG. JPEG has "
        "transparent photos on white.",
        choices=PHOTO_FORMATS,
    )
    quality: int | None = option(
        None,
        "Quality of outputs in JPEG, WebP, AVIF and HEIC, 1 to 100. Default: 95, AVIF and HEIC 90; "
        "a WebP is lossless if the photo is.",
        least=1,
        most=100,
    )
    strip_metadata: bool = option(
        False, "Leave out the photos' date, place, camera and other tags."
    )
    keep_profile: bool = option(
        False,
        "Write outputs in the photos' own colour profile, such as Display P3, instead of sRGB.",
    )
    # 8 or 16. With 16 all bits of the photos are read, and nothing is rounded to 8 in between.
    bits: int = option(8)

    def check(self):
        """Raise `InputError` for invalid values; returns the options."""
        check_fields(self)
        if self.bits not in (8, 16):
            raise InputError(f"bits: expected 8 or 16 for photos, received {self.bits}")
        if self.bits == 16 and self.format not in (None, *formats.DEEP):
            deep = " and ".join(formats.DEEP)
            raise InputError(f"bits: expected 8, or 16 for {deep}, received 16 for {self.format}")
        return self


@dataclasses.dataclass(frozen=True)
class VideoOptions:
    """Options of stylising videos."""

    codec: str | None = option(
        None,
        "Codec of videos; ffv1 is lossless. Default: h264, in WebM vp9.",
        choices=tuple(CODECS),
    )
    crf: int | None = option(
        None,
        "Quality of videos; smaller values give better quality and larger files: 0 to 51 for h264 "
        "(default 18) and hevc (20), 0 to 63 for av1 (26) and vp9 (22). prores, ffv1, GIF and WebP "
        "have none.",
    )
    container: str | None = option(
        None,
        "Format of output videos. Default: that of the source if it is one of these, mp4 for "
        "others. mkv supports all kinds of sound and subtitles.",
        choices=(*CONTAINERS, *ANIMATIONS),
    )
    start: Fraction | float | str | None = option(  # noqa: RUF009
        None, "Start time in videos, from their first frame.", kind="seconds"
    )
    end: Fraction | float | str | None = option(  # noqa: RUF009
        None, "End time in videos, not included.", kind="seconds"
    )
    stabilize: bool = option(
        True, "Prevent flicker of brightness and colours in videos by averages within a shot."
    )
    hdr: str = option(
        "sdr",
        "HDR videos (PQ, HLG, Dolby Vision but profile 5) are tone-mapped to SDR (BT.709), or keep "
        "their colours as they are stored, which are pale to the network.",
        choices=("sdr", "keep"),
    )
    deinterlace: str = option(
        "auto",
        "auto: frames marked as interlaced; on: all frames, for videos without such marks; "
        "telecine: films of 24 frames per second whose fields were repeated for 30, which are "
        "restored.",
        choices=DEINTERLACE,
    )
    bits: int = option(
        8,
        "Bits of each colour: 8; 10 for videos, with hevc and av1; 16 for photos, which become PNG "
        "or TIFF.",
    )
    resume: bool = option(False, "Continue interrupted videos.")
    engine: str = option(
        "auto",
        "Inference engine. auto measures the installed ones on the first photos or frames, uses "
        "the fastest, and remembers it for this processor; with a GPU it uses Keras. litert and "
        "openvino need no TensorFlow once a network is converted, but more memory than keras.",
        choices=ENGINES,
    )

    def check(self):
        """Raise `InputError` for invalid values; returns the options with seconds as `Fraction`."""
        check_fields(self)
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
            supported = CODECS[self.codec].containers
            if container not in supported:
                raise InputError(
                    f"container: expected one of {', '.join(supported)} for the codec "
                    f"{self.codec}, received {container}"
                )
        name = self.codec or default_codec(container)
        codec = CODECS[name]
        if self.crf is not None and not (codec.crf is not None and 0 <= self.crf <= codec.worst):
            expected = f"0 to {codec.worst}" if codec.crf is not None else "none"
            raise InputError(f"crf: expected {expected} for {name}, received {self.crf}")
        if self.bits != 8 and (self.bits != 10 or codec.deep is None):
            deep = ", ".join(name for name, codec in CODECS.items() if codec.deep)
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
        # An animation may have the suffix of another format.
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
        supported = CODECS[self.codec].containers
        return "mp4" if container in ANIMATIONS and "mp4" in supported else supported[-1]

    def for_output(self, path):
        """The options with the container that the suffix of the output `path` names.

        Raises `InputError` for other suffixes, and for a container or codec that does not fit.
        """
        path = pathlib.Path(path)
        container = _KEPT.get(path.suffix.lower())
        if container is None:
            known = ", ".join(_KEPT)
            raise InputError(f"output: expected a file with one of {known}, received {path}")
        if self.container not in (None, container):
            raise InputError(
                f"container: expected {container} for {path.name}, received {self.container}"
            )
        return dataclasses.replace(self, container=container).check()

    def codec_for(self, container):
        """(name, `Codec`, crf) for a container; for animations those of the intermediate file."""
        name = "ffv1" if container in ANIMATIONS else self.codec or default_codec(container)
        codec = CODECS[name]
        if self.bits == 10 and codec.deep is not None:
            codec = dataclasses.replace(codec, pixels=codec.deep)
        return name, codec, codec.crf if self.crf is None else self.crf


def result_suffix(path, options):
    """The suffix of the output for the video at `path`: the same if it fits the container."""
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
