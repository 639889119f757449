"""What the data pipeline is asked for; imports neither TensorFlow nor OpenCV."""

import dataclasses
import math
import numbers
import pathlib

from animegan_tf.errors import InputError

CROPS = ("none", "random", "center")
SOURCES = ("images", "video", "tfrecord")
REFERENCES = ("photo", "flat", "drawn", "painted")

# What each source is read from, besides the folders below `data_dir`.
_PLACES = {"video": "video", "tfrecord": "tfrecords"}


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Where the pictures are and how they become batches. Every mistake is an `InputError`.

    Attributes:
        data_dir: folder that holds `train_photo`, `<style>/style`, `<style>/smooth`, `val`. With
            the source "video" only the photos are taken from it, with "tfrecord" nothing is.
        style: name of the style's folder inside it; needed by the source "images" alone.
        image_size: side of the square training pictures, in pixels.
        batch_size: the global batch, over all workers.
        crop: "none" (every picture already is `image_size` square), "random" or "center".
        hflip: mirror each sample with probability 1/2.
        scale: (low, high); each sample is resized by a factor drawn evenly between them before the
            crop: 0.5 shows twice as much of the picture. Needs a crop.
        hue: the photos' colours are turned around gray by an angle drawn evenly from so many
            degrees to both sides, 0 to 180, their lightness kept (`pipeline.turn_hue`).
        seed: of the order of the files, the crops and the flips.
        cache_gb: memory for decoded pictures that are larger than `image_size`; 0 for none.
        color_shift: (B, G, R) added to the colour anime pictures on the 0..255 scale, not clipped
            (the colour balance of the early AnimeGANv2), or None.
        source: "images" (the folders), "video" (anime frames from films, their smoothed ones made
            on the fly) or "tfrecord" (photos, frames and smoothed frames from shards).
        video: a film, or a folder of films, for the source "video".
        video_every: seconds of film for each anime frame.
        video_start, video_end: seconds of each film; an end below 0 counts from its end, None is
            its end.
        tfrecords: folder that `tools/make_tfrecords.py` filled, for the source "tfrecord".
        reference: what results are compared with: "photo", as published; "flat", the photo
            smoothed between its edges and with stronger colours (`flatten.flatten`); "drawn", in
            few tones and with dark lines along its edges besides (`drawing.draw`); or "painted",
            in brush-like areas with dark lines along its long contours (`painting.paint`).
        reference_saturation: how many times as far from gray the colours of such a reference are
            (`flatten.saturate`); "photo" allows 1 alone.
        reference_gamma: the power of the photo's lightness in such a reference, below 1 for a
            lighter one (`flatten.lighten`); "photo" allows 1 alone.
    """

    data_dir: str
    style: str
    image_size: int = 256
    batch_size: int = 12
    crop: str = "none"
    hflip: bool = False
    scale: tuple[float, float] = (1.0, 1.0)
    hue: float = 0.0
    seed: int = 0
    cache_gb: float = 2.0
    color_shift: tuple[float, float, float] | None = None
    source: str = "images"
    video: str | None = None
    video_every: float = 2.0
    video_start: float = 0.0
    video_end: float | None = None
    tfrecords: str | None = None
    reference: str = "photo"
    reference_saturation: float = 1.0
    reference_gamma: float = 1.0

    def __post_init__(self):
        self._check_source()
        _require_integer("image_size", self.image_size, 8)
        _require_integer("batch_size", self.batch_size, 1)
        _require_integer("seed", self.seed, 0)
        if self.crop not in CROPS:
            raise InputError(f"crop must be one of {', '.join(CROPS)}, got {self.crop!r}")
        self._check_reference()
        if not isinstance(self.hflip, bool):
            raise InputError(f"hflip must be True or False, got {self.hflip!r}")
        if not (_is_number(self.hue) and 0 <= self.hue <= 180):
            raise InputError(f"hue must be degrees from 0 to 180, got {self.hue!r}")
        if not (_is_number(self.cache_gb) and self.cache_gb >= 0):
            raise InputError(f"cache_gb must be a number of at least 0, got {self.cache_gb!r}")
        # Flags give lists; a frozen configuration holds tuples.
        object.__setattr__(self, "scale", _numbers("scale", self.scale, 2))
        low, high = self.scale
        if not 0 < low <= high:
            raise InputError(f"scale must be two numbers 0 < low <= high, got {self.scale}")
        if self.crop == "none" and self.scale != (1.0, 1.0):
            raise InputError(f"scale={self.scale} needs crop='random' or 'center', got crop='none'")
        if self.color_shift is not None:
            shift = _numbers("color_shift", self.color_shift, 3)
            object.__setattr__(self, "color_shift", shift)

    def _check_reference(self):
        if self.reference not in REFERENCES:
            raise InputError(
                f"reference must be one of {', '.join(REFERENCES)}, got {self.reference!r}"
            )
        saturation, gamma = self.reference_saturation, self.reference_gamma
        if not (_is_number(saturation) and saturation >= 0):
            raise InputError(
                f"reference_saturation must be a number of at least 0, got {saturation!r}"
            )
        if not (_is_number(gamma) and gamma > 0):
            raise InputError(f"reference_gamma must be a number above 0, got {gamma!r}")
        if self.reference == "photo":
            for name in ("reference_saturation", "reference_gamma"):
                if getattr(self, name) != 1:
                    raise InputError(
                        f"{name}={getattr(self, name)} needs reference='flat' or 'drawn', "
                        "got 'photo'"
                    )

    def _check_source(self):
        if self.source not in SOURCES:
            raise InputError(f"source must be one of {', '.join(SOURCES)}, got {self.source!r}")
        needed = {"images": ("data_dir", "style"), "video": ("data_dir",), "tfrecord": ()}
        for name in needed[self.source]:
            value = getattr(self, name)
            if not isinstance(value, (str, pathlib.PurePath)) or not str(value):
                raise InputError(f"{name} must be a folder's name, got {value!r}")
        for source, name in _PLACES.items():
            value = getattr(self, name)
            if self.source == source and not value:
                raise InputError(f"{name} must name what source={source!r} reads, got {value!r}")
            if self.source != source and value:
                raise InputError(
                    f"{name}={str(value)!r} needs source={source!r}, got source={self.source!r}"
                )
        if not (_is_number(self.video_every) and self.video_every > 0):
            raise InputError(f"video_every must be seconds above 0, got {self.video_every!r}")
        if not (_is_number(self.video_start) and self.video_start >= 0):
            raise InputError(f"video_start must be seconds of at least 0, got {self.video_start!r}")
        end = self.video_end
        if end is not None and (not _is_number(end) or 0 <= end <= self.video_start):
            raise InputError(
                f"video_end must be seconds after video_start={self.video_start}, or below 0, got "
                f"{end!r}"
            )

    @property
    def photo_dir(self) -> pathlib.Path:
        """Folder of the training photos."""
        return pathlib.Path(self.data_dir) / "train_photo"

    @property
    def style_dir(self) -> pathlib.Path:
        """Folder of the anime frames."""
        return pathlib.Path(self.data_dir) / self.style / "style"

    @property
    def smooth_dir(self) -> pathlib.Path:
        """Folder of the edge-smoothed anime frames."""
        return pathlib.Path(self.data_dir) / self.style / "smooth"

    @property
    def val_dir(self) -> pathlib.Path:
        """Folder of the validation photos, which may be missing."""
        return pathlib.Path(self.data_dir) / "val"


def _is_number(value):
    """Whether `value` is a finite real number (and not a bool)."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _require_integer(name, value, least):
    """Raise `InputError` unless `value` is an integer of at least `least`."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise InputError(f"{name} must be an integer of at least {least}, got {value!r}")


def _numbers(name, values, count):
    """`values` as a tuple of `count` floats, or an `InputError`."""
    if (
        not isinstance(values, (tuple, list))
        or len(values) != count
        or not all(_is_number(value) for value in values)
    ):
        raise InputError(f"{name} must be {count} numbers, got {values!r}")
    return tuple(float(value) for value in values)
