"""The configuration of the data pipeline; imports neither TensorFlow nor OpenCV."""

import dataclasses
import pathlib

from animegan_tf.errors import InputError
from animegan_tf.validation import (
    check_choice,
    check_number,
    check_numbers,
    check_seconds,
    check_whole,
)

CROPS = ("none", "random", "center")
SOURCES = ("images", "video", "tfrecord")
REFERENCES = ("photo", "flat", "drawn", "painted")

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
        check_whole("image_size", self.image_size, 8)
        check_whole("batch_size", self.batch_size, 1)
        check_whole("seed", self.seed, 0)
        check_choice("crop", self.crop, CROPS)
        self._check_reference()
        if not isinstance(self.hflip, bool):
            raise InputError(f"hflip: expected True or False, received {self.hflip!r}")
        check_number("hue", self.hue, 0, 180, kind="degrees")
        check_number("cache_gb", self.cache_gb, 0)
        # Flags give lists; a frozen configuration holds tuples.
        object.__setattr__(self, "scale", check_numbers("scale", self.scale, 2))
        low, high = self.scale
        if not 0 < low <= high:
            raise InputError(f"scale: expected two numbers 0 < low <= high, received {self.scale}")
        if self.crop == "none" and self.scale != (1.0, 1.0):
            scale = ",".join(f"{factor:g}" for factor in self.scale)
            raise InputError(f"crop: expected random or center for scale={scale}, received none")
        if self.color_shift is not None:
            shift = check_numbers("color_shift", self.color_shift, 3)
            object.__setattr__(self, "color_shift", shift)

    def _check_reference(self):
        check_choice("reference", self.reference, REFERENCES)
        check_number("reference_saturation", self.reference_saturation, 0)
        check_number("reference_gamma", self.reference_gamma, above=0)
        for name in ("reference_saturation", "reference_gamma"):
            value = getattr(self, name)
            if self.reference == "photo" and value != 1:
                raise InputError(
                    f"reference: expected flat or drawn for {name}={value}, received photo"
                )

    def _check_source(self):
        check_choice("source", self.source, SOURCES)
        needed = {"images": ("data_dir", "style"), "video": ("data_dir",), "tfrecord": ()}
        for name in needed[self.source]:
            value = getattr(self, name)
            if not isinstance(value, (str, pathlib.PurePath)) or not str(value):
                raise InputError(f"{name}: expected a folder's name, received {value!r}")
        for source, name in _PLACES.items():
            value = getattr(self, name)
            if self.source == source and not value:
                raise InputError(
                    f"{name}: expected a path for the source {source}, received {value!r}"
                )
            if self.source != source and value:
                raise InputError(
                    f"source: expected {source} for {name}={value}, received {self.source}"
                )
        check_seconds("video_every", self.video_every, above=0)
        check_seconds("video_start", self.video_start, 0)
        if self.video_end is not None:
            check_seconds("video_end", self.video_end)
            if 0 <= self.video_end <= self.video_start:
                raise InputError(
                    f"video_end: expected seconds after video_start={self.video_start}, or below "
                    f"0, received {self.video_end!r}"
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
