"""`Stylizer`, which converts photos to anime style.

Images are uint8 RGB (height, width, 3); see `animegan_tf.images`. TensorFlow is imported only when
a `Stylizer` is created. Source: the published stylising (Chen, AnimeGANv2, 2020). `sizing="photo"`
differs from it: outputs keep the photo's size, and photos larger than `draw_side` are processed at
a smaller size and upsampled (`animegan_tf.stylize.guided`).
"""

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from animegan_tf import images, styles
from animegan_tf.errors import InputError
from animegan_tf.images import formats
from animegan_tf.recipes import MAX_ENLARGED_PIXELS, TRAINED_SIDE
from animegan_tf.stylize import progress
from animegan_tf.stylize.engines import check_precision, is_export, load_engine
from animegan_tf.stylize.engines.runtimes import RUNTIMES
from animegan_tf.stylize.guided import LIMITS, Delivery
from animegan_tf.stylize.options import DRAW_SIDE
from animegan_tf.validation import check_choice, check_number, check_whole

if TYPE_CHECKING:
    import keras


# What a `Stylizer` accepts and, but for an array for a path, returns.
Kind = np.ndarray | Image.Image | bytes | str | os.PathLike | list
_EXPECTED = (
    "an array (height, width), (height, width, 3) or (height, width, 4) of uint8, uint16 or of "
    "floats in [0, 1], a batch of them, a path, the bytes of a file or an image of Pillow"
)
SIZINGS = ("photo", "published")
_KINDS = {8: np.uint8, 16: np.uint16}

# In units of the network's multiple: its innermost reflection padding, 1, needs a side of 2.
_MIN_PADDED_MULTIPLES = 2


class Stylizer:
    """A generator with pre- and post-processing: `stylizer(photo) -> output`.

    checkpoint: a run directory, a `.weights.h5` file or a TensorFlow 1 checkpoint (see
        `animegan_tf.networks.weights.load_generator`), an export (a `.tflite` file or a SavedModel
        folder), or a model of `build_generator`. For an export of one fixed size, photos are
        resized and padded.
    style: name of a style instead, one of `animegan_tf.styles.names()`. Without `checkpoint` and
        `style`, the style that ships with this project.
    styles_dir, mirror, accept_license: for a published style that must be downloaded, see
        `animegan_tf.styles.obtain`. It is downloaded if `accept_license` is true.
    sizing: "photo": outputs have the photo's size; the photo is padded by reflection to the
        network's multiple, and the output is cropped. A photo with a side below 256 is enlarged for
        the network, and its output shrunk. "published": the photo is resized as in the published
        code (`images.published_size`), and the output has that size.
    match_brightness: scale the output to the photo's mean brightness, as published. Default: as
        recorded with the weights or the export, else on. It is off for the shipped styles, which
        change brightness on purpose.
    max_side: shrink photos whose longer side exceeds this; the output has the smaller size.
    draw_side, strength, keep_color: see `guided.Delivery`. `draw_side` is ignored with
        "published".
    engine: "keras", "litert" or "openvino" (extra `openvino`). For a weights file "auto" starts
        with a converted network if there is one, from the style or the user's cache, without
        TensorFlow; the installed engines take turns on the first photos of each class of sizes, and
        the cache remembers the fastest for this processor. A network is converted after enough
        work. With a GPU, and for photos that do not fit into memory with the others, it uses Keras.
        In float32 their outputs differ by rounding only.
    precision: "float32"; "bfloat16", twice as fast on processors that have it, but outputs change
        by about a level; "auto": bfloat16 with OpenVINO or Keras where it is faster and its first
        output is at least 45 dB from float32, which cannot be seen. With `sizing` "published", and
        for published styles, models and exports, "auto" is float32.
    strip_memory: process all photos in strips within this many gigabytes, besides TensorFlow's own
        0.6. By default only photos that do not fit into free memory are. Outputs are the same. Not
        for exports, "litert" and "openvino".
    quietly: a function that returns a context manager, used while engine="auto" loads libraries
        later; a command line can hide their messages.

    Raises `InputError` for invalid arguments, before TensorFlow is loaded if possible, and
    `OSError` if a style cannot be downloaded or stored.
    """

    def __init__(
        self,
        checkpoint: "str | os.PathLike | keras.Model | None" = None,
        *,
        style: str | None = None,
        styles_dir: str | os.PathLike | None = None,
        mirror: str | None = None,
        accept_license: bool = False,
        sizing: str = "photo",
        match_brightness: bool | None = None,
        max_side: int | None = None,
        draw_side: int = DRAW_SIDE,
        strength: float = 1.0,
        keep_color: bool = False,
        engine: str = "auto",
        precision: str = "auto",
        strip_memory: float | None = None,
        quietly: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext,
    ):
        self.delivery = Delivery(draw_side, strength, keep_color)
        check_options(
            checkpoint,
            style=style,
            sizing=sizing,
            max_side=max_side,
            delivery=self.delivery,
            engine=engine,
            precision=precision,
            strip_memory=strip_memory,
        )
        checkpoint = styles.resolve(
            checkpoint,
            style,
            styles_dir=styles_dir,
            mirror=mirror,
            accept_license=accept_license,
        )
        if sizing == "published" and precision == "auto":
            precision = "float32"
        self.engine = load_engine(checkpoint, engine, strip_memory, quietly, precision)
        self.sizing = sizing
        if match_brightness is None:
            match_brightness = self.engine.match_brightness
        self.match_brightness = match_brightness
        self.max_side = max_side
        if sizing == "published" and self.engine.size is not None:
            raise InputError(
                f"sizing: expected photo for a model of {self.note()}, received {sizing}"
            )

    def note(self) -> str | None:
        """A sentence about the fixed input size of an export, or None."""
        if self.engine.size is None:
            return None
        height, width = self.engine.size
        return f"{width}x{height} only: photos are resized to fit it, padded, and resized back"

    def drawn_by(self) -> str | None:
        """The engine of the last photo or frame and its precision, if known: "LiteRT, float32"."""
        return self.engine.note()

    def __call__(self, photo: Kind) -> Kind:
        """The output for a photo: of the same kind and, by default, the same size.

        photo: an array (H, W, 3), (H, W, 4) with alpha or (H, W) in gray, of uint8, uint16 or
            floats in [0, 1], which keep more than 8 bits; a batch (N, H, W, C) of these; an image
            of Pillow; the bytes of a file; a path, for which the output is uint8 (H, W, 3), or
            (H, W, 4) with alpha; a list of these. Files and images of Pillow are turned upright and
            converted to sRGB.

        Raises `InputError` for other kinds, a file that is not a photo, a photo that does not fit
        into memory, or a network whose output is not finite; `MemoryError` if the device runs out
        of memory; and `OSError` for a path that cannot be read.
        """
        if isinstance(photo, np.ndarray) and photo.ndim == 4 and len(photo):
            return np.stack([self(image) for image in photo])
        if isinstance(photo, (list, tuple)):
            return [self(item) for item in photo]
        source, back = _unpacked(photo)
        rgb, alpha = self.stylized(source.seen()), source.alpha
        return back(rgb, None if alpha is None else images.resize(alpha, *rgb.shape[:2]))

    def stylized(self, photo: np.ndarray, bits: int | None = None) -> np.ndarray:
        """The output for an RGB photo (H, W, 3), uint8 or uint16.

        bits: 8 or 16, of the output; by default the photo's. 16 bits are not rounded to 8 in
            between. Raises the errors of `__call__`.
        """
        images.check_rgb("photo", photo, _KINDS.values())
        kind = photo.dtype if bits is None else _KINDS[bits]
        photo = images.limit_side(photo, self.max_side)
        drawn = self.shrink(photo)
        self._refuse_too_large(drawn)
        progress.step(f"drawing at {drawn.shape[1]}x{drawn.shape[0]}")
        result = self.finish(self.network(self.prepare(drawn)), drawn, kind)
        if self.match_brightness:
            result = images.match_brightness(result, photo)
        if drawn is not photo:
            progress.step(f"enlarging to {photo.shape[1]}x{photo.shape[0]}")
        return self.delivery.finish(photo, drawn, result)

    def shrink(self, photo: np.ndarray) -> np.ndarray:
        """The photo at the size at which it is processed, see `draw_side`."""
        return (
            photo if self.sizing == "published" else self.delivery.shrink(photo, self.engine.size)
        )

    def _refuse_too_large(self, photo):
        """Check the size before the photo is converted to float."""
        published = self.sizing == "published"
        size = images.published_size(*photo.shape[:2]) if published else self._inner_size(photo)
        self.engine.refuse_too_large(*size)

    def prepare(self, photo: np.ndarray) -> np.ndarray:
        """The network's input for an output of `shrink`: float32 (1, H', W', 3)."""
        if self.sizing == "published":
            return images.preprocess_published(photo)
        inner = images.resize(photo, *self._inner_size(photo))
        if self.engine.size is not None:
            return images.to_network(images.pad_to_size(inner, *self.engine.size))[None]
        multiple = self.engine.multiple
        padded = images.pad_to_multiple(inner, multiple, at_least=_MIN_PADDED_MULTIPLES * multiple)
        return images.to_network(padded)[None]

    def finish(self, output: np.ndarray, photo: np.ndarray, kind: type = np.uint8) -> np.ndarray:
        """Convert the network's output (1, H', W', 3) to RGB of the size of `photo`.

        kind: its type, uint8 or uint16.
        """
        if self.sizing == "published":
            return images.to_levels(output[0], kind)
        height, width = self._inner_size(photo)
        return images.resize(images.to_levels(output[0, :height, :width], kind), *photo.shape[:2])

    def _inner_size(self, photo):
        """The size of the photo in the network's input, without padding."""
        if self.engine.size is not None:
            return images.size_within(*photo.shape[:2], *self.engine.size)
        return images.enlarged_size(*photo.shape[:2], TRAINED_SIDE, MAX_ENLARGED_PIXELS)

    @property
    def model(self) -> "keras.Model | None":
        """The Keras model, or None for an export."""
        return getattr(self.engine, "model", None)

    def network(self, batch: np.ndarray, engine: Callable | None = None) -> np.ndarray:
        """Run the network on a batch of inputs from `prepare`, float32 (N, H', W', 3).

        engine: another function with the same network.
        """
        try:
            result = (engine or self.engine)(batch)
        except MemoryError as error:
            if LIMITS in str(error):  # it says what is missing
                raise
            height, width = batch.shape[1:3]
            raise MemoryError(
                f"{width}x{height} is too large for this device's memory; {LIMITS}"
            ) from error
        if not np.isfinite(result).all():
            raise InputError("checkpoint: the outputs of its network are not finite")
        return result


def check_options(
    checkpoint=None,
    *,
    style=None,
    sizing="photo",
    max_side=None,
    delivery=Delivery(),  # noqa: B008, a frozen value
    engine="auto",
    precision="auto",
    strip_memory=None,
):
    """Raise `InputError` for arguments of `Stylizer` that are invalid for any checkpoint."""
    styles.check_choice(checkpoint, style)
    if checkpoint is not None:
        _check_checkpoint(checkpoint)
    check_choice("sizing", sizing, SIZINGS)
    if max_side is not None:
        check_whole("max_side", max_side, 1)
    delivery.check()
    check_precision(precision, checkpoint, engine)
    if strip_memory is not None:
        _check_strip_memory(strip_memory, checkpoint, engine)


def _check_strip_memory(strip_memory, checkpoint, engine):
    check_number("strip_memory", strip_memory, above=0, kind="gigabytes")
    if engine in RUNTIMES:
        expected = "expected the engine auto or keras with it"
        raise InputError(f"strip_memory: {expected}, received {engine}")
    if is_export(checkpoint):
        raise InputError(
            f"strip_memory: expected a checkpoint that is not an export, received {checkpoint}"
        )


def _check_checkpoint(checkpoint):
    kinds = "a run directory, a .weights.h5 file, a TensorFlow 1 checkpoint or an export"
    if isinstance(checkpoint, (str, os.PathLike)) and str(checkpoint):
        # The path of a TensorFlow 1 checkpoint is the prefix of its files.
        if not (os.path.exists(checkpoint) or os.path.exists(f"{checkpoint}.index")):
            known = str(checkpoint) in styles.names()
            hint = f" (there is a style with this name: --style={checkpoint})" if known else ""
            raise InputError(f"checkpoint: expected {kinds}, found nothing at {checkpoint}{hint}")
    elif not callable(checkpoint):
        raise InputError(f"checkpoint: expected {kinds}, received {checkpoint!r}")


# --- kinds of photos ---


def _unpacked(photo):
    """(`images.Photo`, a function that converts RGB and alpha back to the kind of `photo`)."""
    if isinstance(photo, (str, os.PathLike)):
        return images.read_photo(photo), _array
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return _encoded(bytes(photo))
    if isinstance(photo, Image.Image):
        return _pillow(photo)
    if isinstance(photo, np.ndarray) and photo.ndim in (2, 3) and photo.size:
        return _from_array(photo)
    raise InputError(f"photo: expected {_EXPECTED}, received {images.described(photo)}")


def _array(rgb, alpha):
    return rgb if alpha is None else np.dstack([rgb, alpha])


def _encoded(data):
    photo = images.decode_photo(data, "photo")
    kind = formats.kind_of(data[: formats.HEAD])
    kind = kind if kind in formats.WRITTEN else "png"

    def back(rgb, alpha):
        options = {"metadata": photo.metadata, "lossless": not photo.lossy}
        return images.encode_photo(kind, rgb, alpha, "photo", **options)

    return photo, back


def _pillow(image):
    photo = images.photo_of(image)

    def back(rgb, alpha):
        output = Image.fromarray(_array(rgb, alpha))
        return output.convert(image.mode) if image.mode in ("L", "LA") else output

    return photo, back


def _from_array(array):
    """`_unpacked` for gray, RGB or RGBA; floats are converted to uint16."""
    levels = array
    if array.dtype.kind == "f":
        if not (array.min() >= 0 and array.max() <= 1):  # also for NaN
            raise InputError(
                f"photo: expected floats in [0, 1], received {array.min():g} to {array.max():g}"
            )
        levels = np.rint(array * 65535.0).astype(np.uint16)
    channels = 1 if array.ndim == 2 else array.shape[2]
    if levels.dtype not in (np.uint8, np.uint16) or channels not in (1, 3, 4):
        raise InputError(f"photo: expected {_EXPECTED}, received {images.described(array)}")
    alpha = np.ascontiguousarray(levels[:, :, 3]) if channels == 4 else None
    if channels == 1:
        rgb = cv2.cvtColor(
            np.ascontiguousarray(levels.reshape(levels.shape[:2])), cv2.COLOR_GRAY2RGB
        )
    else:
        rgb = levels[:, :, :3]

    def back(rgb, alpha):
        output = _array(rgb, alpha)
        if channels == 1:
            output = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
            output = output.reshape(*output.shape, *array.shape[2:])
        return (output / 65535).astype(array.dtype) if array.dtype.kind == "f" else output

    return images.Photo(rgb, alpha), back
