"""The configuration of the data pipeline; imports neither TensorFlow nor OpenCV."""

import dataclasses
import pathlib

from animegan_tf.errors import InputError
from animegan_tf.validation import check_fields, option

CROPS = ("none", "random", "center")
SOURCES = ("images", "video", "tfrecord")
REFERENCES = ("photo", "flat", "drawn", "painted", "inked", "brushed")

# The field with the path of each source other than `data_dir`.
_PLACES = {"video": "video", "tfrecord": "tfrecords"}


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The images and the contents of batches. Invalid values raise `InputError`.

    `smooth_dir` None is `<data_dir>/<style>/smooth`. `batch_size` is the global one, over all
    workers. `color_shift` is not clipped.
    """

    data_dir: str = option(text="Folder with train_photo/, <style>/style/ and val/.")
    style: str = option(text="Name of the style's folder in data_dir.")
    image_size: int = option(256, least=8)
    batch_size: int = option(12, least=1)
    crop: str = option(
        "none",
        "How squares are cropped from images; with none, images of another size are an error.",
        choices=CROPS,
    )
    hflip: bool = option(False, "Flip images horizontally at random.")
    scale: tuple[float, float] = option(
        (1.0, 1.0),
        "Resize images by a random factor LOW,HIGH before the crop: at 0.5 a crop shows twice as "
        "much of the image. Requires --crop.",
    )
    hue: float = option(
        0.0,
        "Largest random hue rotation of the photos, in degrees; luma is kept.",
        kind="degrees",
        least=0,
        most=180,
    )
    seed: int = option(0, least=0)
    cache_gb: float = option(
        2.0, "Memory for decoded images larger than image_size, in GB; 0 for none.", least=0
    )
    # The early AnimeGANv2 removed the style's colour cast.
    color_shift: tuple[float, float, float] | None = option(
        None,
        "B,G,R added to the colour anime on the 0..255 scale, or auto to remove the style's colour "
        "cast, as the early AnimeGANv2 did (see tools/color_balance.py).",
    )
    source: str = option(
        "images",
        "images: read everything from the folders in data_dir. video: read anime frames from "
        "--video and photos from data_dir. tfrecord: read everything from --tfrecords.",
        choices=SOURCES,
    )
    video: str | None = option(None, "Video, or folder of videos, for --source=video.")
    video_every: float = option(2.0, "Seconds of video per anime frame.", above=0)
    video_start: float = option(0.0, "Start time in each video.", kind="seconds", least=0)
    video_end: float | None = option(
        None,
        "End time in each video; a negative time (--video_end=-1:30) counts from the end.",
        kind="seconds",
    )
    tfrecords: str | None = option(
        None, "Folder written by tools/make_tfrecords.py, for --source=tfrecord."
    )
    reference: str = option(
        "photo",
        "What outputs are compared with by content, pixels and colours; not published: flat, the "
        "photo smoothed between its edges, its colours strengthened; drawn, with few tones and "
        "dark lines along its edges besides; painted, in brush-like areas with dark lines along "
        "its long contours; inked, with bolder lines; brushed, with larger areas too.",
        choices=REFERENCES,
    )
    reference_saturation: float = option(
        1.0, "Saturation factor of a reference that is not the photo.", least=0
    )
    reference_gamma: float = option(
        1.0, "Gamma of a reference that is not the photo; below 1 makes it lighter.", above=0
    )
    smooth_dir: str | None = option(
        None,
        "Folder of the edge-smoothed frames, which are created if missing. Default: "
        "<style>/smooth in data_dir, or run_dir/smooth if that cannot be written.",
    )

    def __post_init__(self):
        check_fields(self)
        self._check_source()
        for name in ("reference_saturation", "reference_gamma"):
            value = getattr(self, name)
            if self.reference == "photo" and value != 1:
                raise InputError(
                    f"reference: expected another than photo for {name}={value}, received photo"
                )
        low, high = self.scale
        if not 0 < low <= high:
            raise InputError(f"scale: expected two numbers 0 < low <= high, received {self.scale}")
        if self.crop == "none" and self.scale != (1.0, 1.0):
            scale = ",".join(f"{factor:g}" for factor in self.scale)
            raise InputError(f"crop: expected random or center for scale={scale}, received none")

    def _check_source(self):
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
        if self.video_end is not None and 0 <= self.video_end <= self.video_start:
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
    def smooth_path(self) -> pathlib.Path:
        """Folder of the edge-smoothed anime frames."""
        default = pathlib.Path(self.data_dir) / self.style / "smooth"
        return pathlib.Path(self.smooth_dir or default)

    @property
    def val_dir(self) -> pathlib.Path:
        """Folder of the validation photos (optional)."""
        return pathlib.Path(self.data_dir) / "val"
