"""`Stylizer`, which converts photos to anime style.

Images are uint8 RGB (height, width, 3); see `animegan_tf.images`. TensorFlow is imported only when
a `Stylizer` is created. Source: the published stylising (Chen, AnimeGANv2, 2020). `sizing="photo"`
differs from it: outputs keep the photo's size, and photos larger than `draw_side` are processed at
a smaller size and upsampled (`animegan_tf.stylize.guided`).
"""

import contextlib
import os
from typing import TYPE_CHECKING

import numpy as np

from animegan_tf import images, styles
from animegan_tf.errors import InputError
from animegan_tf.recipes import MAX_ENLARGED_PIXELS, TRAINED_SIDE
from animegan_tf.stylize import progress
from animegan_tf.stylize.guided import LIMITS, Delivery
from animegan_tf.stylize.kinds import unpacked
from animegan_tf.stylize.options import DRAW_SIDE
from animegan_tf.validation import check_choice, check_number, check_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras

    from animegan_tf.stylize.engines.base import Engine
    from animegan_tf.stylize.kinds import Kind

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
    engine: "keras", or "litert", which is faster on most CPUs, but needs twice the memory and some
        seconds to convert the network. "auto" starts with Keras, converts the network of a weights
        file after 20 seconds of work, and continues with the faster one. It caches the converted
        file in the user's cache, so that the next `Stylizer` needs no TensorFlow. With a GPU, and
        for photos that do not fit into memory with LiteRT, it uses Keras. Outputs of the engines
        differ by rounding only.
    strip_memory: process all photos in strips within this many gigabytes, besides TensorFlow's own
        0.6. By default only photos that do not fit into free memory are. Results are the same. Not
        for exports and "litert".
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
        strip_memory: float | None = None,
        quietly: "Callable[[], contextlib.AbstractContextManager]" = contextlib.nullcontext,
    ):
        self.delivery = Delivery(draw_side, strength, keep_color)
        check_options(
            checkpoint,
            style=style,
            sizing=sizing,
            max_side=max_side,
            delivery=self.delivery,
            engine=engine,
            strip_memory=strip_memory,
        )
        checkpoint = styles.resolve(
            checkpoint,
            style,
            styles_dir=styles_dir,
            mirror=mirror,
            accept_license=accept_license,
        )
        from animegan_tf.stylize.engines import load_engine

        self.engine = load_engine(checkpoint, engine, strip_memory, quietly)
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

    def __call__(self, photo: "Kind") -> "Kind":
        """The output for a photo, of the same kind and, but for `max_side` and "published", size.

        photo: an array (H, W, 3), (H, W, 4) with alpha or (H, W) in gray, of uint8, uint16 or
            floats in [0, 1], which keep more than 8 bits; a batch (N, H, W, C) of them; an image of
            Pillow; the bytes of a file, in whose format the result is; a path, whose result is
            uint8 (H, W, 3), or (H, W, 4) where it has alpha; a list of these. Files and images of
            Pillow are turned upright and are sRGB then.

        Raises `InputError` for other kinds, a file that is no photo, one that is too large for the
        memory there is, or a network whose output has NaN, `MemoryError` when the device runs out
        of it, and `OSError` for a path that cannot be read.
        """
        if isinstance(photo, np.ndarray) and photo.ndim == 4 and len(photo):
            return np.stack([self(one) for one in photo])
        if isinstance(photo, (list, tuple)):
            return [self(one) for one in photo]
        source, back = unpacked(photo)
        rgb, alpha = self.stylized(source.seen()), source.alpha
        return back(rgb, None if alpha is None else images.resize(alpha, *rgb.shape[:2]))

    def stylized(self, photo: np.ndarray, bits: int | None = None) -> np.ndarray:
        """The output for an RGB photo (H, W, 3), uint8 or uint16.

        bits: 8 or 16, of the output; by default the photo's. 16 bits are not rounded to 8 in
            between. Raises as a call does.
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

    def network(self, batch: np.ndarray, engine: "Engine | None" = None) -> np.ndarray:
        """Run the network on a batch of inputs from `prepare`, float32 (N, H', W', 3).

        engine: another engine of the same network.
        """
        try:
            result = (engine or self.engine)(batch)
        except MemoryError as error:
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
    if strip_memory is not None:
        _check_strip_memory(strip_memory, checkpoint, engine)


def _check_strip_memory(strip_memory, checkpoint, engine):
    from animegan_tf.stylize.engines import is_export

    check_number("strip_memory", strip_memory, above=0, kind="gigabytes")
    if engine == "litert":
        raise InputError("strip_memory: expected the engine auto or keras with it, received litert")
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
