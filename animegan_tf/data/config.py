"""The configuration of the data pipeline; imports neither TensorFlow nor OpenCV."""

import dataclasses
import math
import numbers
import pathlib

from animegan_tf.errors import InputError

CROPS = ("none", "random", "center")
SOURCES = ("images", "video", "tfrecord")
REFERENCES = ("photo", "flat", "drawn")

# The field with the path of each source other than `data_dir`.
_PLACES = {"video": "video", "tfrecord": "tfrecords"}


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The images and how batches are made of them. Invalid values raise `InputError`.

    Attributes:
        data_dir: folder with `train_photo`, `<style>/style`, `<style>/smooth` and `val`. The source
            "video" reads only photos from it, "tfrecord" nothing.
        style: name of the style's folder inside it, for the source "images".
        image_size: side of the square training images in pixels.
        batch_size: the global batch size, over all workers.
        crop: "none" (all images are `image_size` square already), "random" or "center".
        hflip: flip each sample horizontally with probability 1/2.
        scale: (low, high); each sample is resized by a uniform random factor between them before
            the crop: a crop at 0.5 shows twice as much of the image. Requires a crop.
        hue: limit of the random hue rotation of the photos in degrees, 0 to 180; luma is kept
            (`pipeline.turn_hue`).
        seed: seed of the order of the files, the crops and the flips.
        cache_gb: memory for decoded images that are larger than `image_size`; 0 for none.
        color_shift: (B, G, R) added to the colour anime frames on the 0..255 scale, not clipped
            (the colour balance of the early AnimeGANv2), or None.
        source: "images" (the folders), "video" (anime frames from videos, smoothed on the fly) or
            "tfrecord" (photos, frames and smoothed frames from shards).
        video: a video, or a folder of videos, for the source "video".
        video_every: seconds of video per anime frame.
        video_start, video_end: seconds of each video; an end below 0 counts from its end, None is
            its end.
        tfrecords: folder written by `tools/make_tfrecords.py`, for the source "tfrecord".
        reference: the image that outputs are compared with: "photo", as published; "flat", the
            photo with edge-preserving smoothing and stronger colours (`flatten.flatten`); or
            "drawn", also with few tones and dark lines along the edges (`drawing.draw`).
        reference_saturation: saturation factor of a flat or drawn reference
            (`flatten.saturate`); must be 1 for "photo".
        reference_gamma: gamma of the photo's lightness in a flat or drawn reference; below 1 makes
            it lighter (`flatten.lighten`); must be 1 for "photo".
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
            raise InputError(f"crop: expected one of {', '.join(CROPS)}, received {self.crop!r}")
        self._check_reference()
        if not isinstance(self.hflip, bool):
            raise InputError(f"hflip: expected True or False, received {self.hflip!r}")
        if not (_is_number(self.hue) and 0 <= self.hue <= 180):
            raise InputError(f"hue: expected degrees from 0 to 180, received {self.hue!r}")
        if not (_is_number(self.cache_gb) and self.cache_gb >= 0):
            raise InputError(
                f"cache_gb: expected a number of at least 0, received {self.cache_gb!r}"
            )
        # Flags are lists; a frozen configuration has tuples.
        object.__setattr__(self, "scale", _numbers("scale", self.scale, 2))
        low, high = self.scale
        if not 0 < low <= high:
            raise InputError(f"scale: expected two numbers 0 < low <= high, received {self.scale}")
        if self.crop == "none" and self.scale != (1.0, 1.0):
            raise InputError(
                f"scale={self.scale} needs crop='random' or 'center', received crop='none'"
            )
        if self.color_shift is not None:
            shift = _numbers("color_shift", self.color_shift, 3)
            object.__setattr__(self, "color_shift", shift)

    def _check_reference(self):
        if self.reference not in REFERENCES:
            raise InputError(
                f"reference: expected one of {', '.join(REFERENCES)}, received {self.reference!r}"
            )
        saturation, gamma = self.reference_saturation, self.reference_gamma
        if not (_is_number(saturation) and saturation >= 0):
            raise InputError(
                f"reference_saturation: expected a number of at least 0, received {saturation!r}"
            )
        if not (_is_number(gamma) and gamma > 0):
            raise InputError(f"reference_gamma: expected a number above 0, received {gamma!r}")
        if self.reference == "photo":
            for name in ("reference_saturation", "reference_gamma"):
                if getattr(self, name) != 1:
                    raise InputError(
                        f"{name}={getattr(self, name)} needs reference='flat' or 'drawn', "
                        "received 'photo'"
                    )

    def _check_source(self):
        if self.source not in SOURCES:
            raise InputError(
                f"source: expected one of {', '.join(SOURCES)}, received {self.source!r}"
            )
        required = {"images": ("data_dir", "style"), "video": ("data_dir",), "tfrecord": ()}
        for name in required[self.source]:
            value = getattr(self, name)
            if not isinstance(value, (str, pathlib.PurePath)) or not str(value):
                raise InputError(f"{name}: expected a folder's name, received {value!r}")
        for source, name in _PLACES.items():
            value = getattr(self, name)
            if self.source == source and not value:
                raise InputError(
                    f"{name}: expected a path with source={source!r}, received {value!r}"
                )
            if self.source != source and value:
                raise InputError(
                    f"{name}={str(value)!r} needs source={source!r}, received "
                    f"source={self.source!r}"
                )
        if not (_is_number(self.video_every) and self.video_every > 0):
            raise InputError(
                f"video_every: expected seconds above 0, received {self.video_every!r}"
            )
        if not (_is_number(self.video_start) and self.video_start >= 0):
            raise InputError(
                f"video_start: expected seconds of at least 0, received {self.video_start!r}"
            )
        end = self.video_end
        if end is not None and (not _is_number(end) or 0 <= end <= self.video_start):
            raise InputError(
                f"video_end: expected seconds after video_start={self.video_start}, or below 0, "
                f"received {end!r}"
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
        """Folder of the validation photos (optional)."""
        return pathlib.Path(self.data_dir) / "val"


def _is_number(value):
    """Whether `value` is a finite real number (and not a bool)."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _require_integer(name, value, least):
    """Raise `InputError` unless `value` is an integer of at least `least`."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise InputError(f"{name}: expected an integer of at least {least}, received {value!r}")


def _numbers(name, values, count):
    """`values` as a tuple of `count` floats, or an `InputError`."""
    if (
        not isinstance(values, (tuple, list))
        or len(values) != count
        or not all(_is_number(value) for value in values)
    ):
        raise InputError(f"{name}: expected {count} numbers, received {values!r}")
    return tuple(float(value) for value in values)
