"""A photo to an anime-style image: `Stylizer`.

Pictures are uint8 RGB (height, width, 3); see `animegan_tf.images`. TensorFlow is imported when a
`Stylizer` is made, not before. Source: spec of the published stylising (Chen, AnimeGANv2, 2020);
`sizing="photo"` differs from it in that the result keeps the photo's size, and in that a photo
over `draw_side` is drawn small and the result enlarged (`animegan_tf.stylize.guided`).
"""

import contextlib
import os

import numpy as np

from animegan_tf import images, styles
from animegan_tf.errors import InputError
from animegan_tf.recipes import MAX_ENLARGED_PIXELS, TRAINED_SIDE
from animegan_tf.stylize.guided import LIMITS, Delivery
from animegan_tf.stylize.kinds import unpacked
from animegan_tf.stylize.options import DRAW_SIDE
from animegan_tf.validation import check_choice, check_number, check_whole

SIZINGS = ("photo", "published")

# In units of the network's multiple: its innermost reflection padding, 1, needs a side of 2.
_MIN_PADDED_MULTIPLES = 2


class Stylizer:
    """A network with the sizes, values and brightness around it: `stylizer(photo) -> result`.

    checkpoint: a run directory, a `.weights.h5` file or a TensorFlow 1 checkpoint (see
        `animegan_tf.networks.weights.load_generator`), an export (a `.tflite` file or a SavedModel
        folder), or a model of `build_generator`. A photo is fitted into an export of one fixed size
        by resizing and padding.
    style: instead of it, the name of a style, one of `animegan_tf.styles.names()`. With neither,
        the style that ships with this project.
    styles_dir, mirror, accept_license: for a published style that has not been fetched yet, see
        `animegan_tf.styles.obtain`. It is fetched if `accept_license` is true.
    sizing: "photo" gives a result of the photo's size: padded by reflection to what the network
        needs, cut away afterwards. A photo with a side below 256 is enlarged for the network, its
        result shrunk. "published" resizes as the published code does (`images.published_size`) and
        leaves the result at that size.
    match_brightness: scale the result to the photo's mean brightness, as published. Default: what
        the style's weights or the export record; where they record nothing, as published. The
        styles that ship with this project change the brightness on purpose.
    max_side: shrink a photo whose longer side is over this first; the result then has that size.
    draw_side, strength, keep_color: see `guided.Delivery`. "published" draws every photo at
        its published size.
    engine: "keras", or "litert", which is faster on most processors, takes twice the memory and
        some seconds at first, as the network is converted. "auto" begins with Keras, converts the
        network of a weights file after 20 seconds of work and goes on with what is faster; it keeps
        the converted file in the user's cache, so that the next `Stylizer` needs no TensorFlow. A
        photo that would not fit into memory that way, and any photo with a GPU, is left to Keras.
        The engines' answers differ by rounding: a level here and there.
    strip_memory: compute every photo in strips, with so many gigabytes for the network's work,
        beside what TensorFlow itself takes (0.6). By default those photos are that would not fit
        into the free memory whole. The numbers are the same. Not for exports, nor with "litert".
    quietly: a function that gives a context, in which libraries are loaded that engine="auto" needs
        later than here; a command line may hide there what they print.

    Raises `InputError` for a mistake in these, before TensorFlow is loaded where that is possible,
    and `OSError` when a style cannot be fetched or kept.
    """

    def __init__(
        self,
        checkpoint=None,
        *,
        style=None,
        styles_dir=None,
        mirror=None,
        accept_license=False,
        sizing="photo",
        match_brightness=None,
        max_side=None,
        draw_side=DRAW_SIDE,
        strength=1.0,
        keep_color=False,
        engine="auto",
        strip_memory=None,
        quietly=contextlib.nullcontext,
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

    def note(self):
        """What the user should know of how photos are fitted, or None."""
        if self.engine.size is None:
            return None
        height, width = self.engine.size
        return f"{width}x{height} only: photos are resized to fit it, padded, and resized back"

    def __call__(self, photo):
        """The result of a photo, of the same kind and, but for `max_side` and "published", size.

        photo: an array (H, W, 3), (H, W, 4) with alpha or (H, W) in gray, uint8 or floats in
            [0, 1]; a batch (N, H, W, C) of them; an image of Pillow; the bytes of a file, in whose
            format the result is; a path, whose result is uint8 (H, W, 3), or (H, W, 4) where it has
            alpha; a list of these. Files and images of Pillow are turned upright and are sRGB then.

        Raises `InputError` for other kinds, a file that is no photo, one that is too large for the
        memory there is, or a network that answers with NaN, `MemoryError` when the device runs out
        of it, and `OSError` for a path that cannot be read.
        """
        if isinstance(photo, np.ndarray) and photo.ndim == 4 and len(photo):
            return np.stack([self(one) for one in photo])
        if isinstance(photo, (list, tuple)):
            return [self(one) for one in photo]
        source, back = unpacked(photo)
        rgb, alpha = self._stylized(source.seen()), source.alpha
        return back(rgb, None if alpha is None else images.resize(alpha, *rgb.shape[:2]))

    def _stylized(self, photo):
        """uint8 RGB (H, W, 3) to uint8 RGB."""
        images.check_rgb("photo", photo)
        photo = images.limit_side(photo, self.max_side)
        drawn = self.shrink(photo)
        self._refuse_too_large(drawn)
        result = self.finish(self.network(self.prepare(drawn)), drawn)
        if self.match_brightness:
            result = images.match_brightness(result, photo)
        return self.delivery.finish(photo, drawn, result)

    def shrink(self, photo):
        """What is drawn of a photo within `max_side`: itself, or smaller, see `draw_side`."""
        return (
            photo if self.sizing == "published" else self.delivery.shrink(photo, self.engine.size)
        )

    def _refuse_too_large(self, photo):
        """Before the photo becomes floats, which takes a while and memory too."""
        published = self.sizing == "published"
        size = images.published_size(*photo.shape[:2]) if published else self._inner_size(photo)
        self.engine.refuse_too_large(*size)

    def prepare(self, photo):
        """What the network is given for what `shrink` gave: float32 (1, H', W', 3)."""
        if self.sizing == "published":
            return images.preprocess_published(photo)
        inner = images.resize(photo, *self._inner_size(photo))
        if self.engine.size is not None:
            return images.to_network(images.pad_to_size(inner, *self.engine.size))[None]
        multiple = self.engine.multiple
        padded = images.pad_to_multiple(inner, multiple, at_least=_MIN_PADDED_MULTIPLES * multiple)
        return images.to_network(padded)[None]

    def finish(self, output, photo):
        """The network's answer (1, H', W', 3) to a prepared `photo` as uint8 RGB of its size."""
        if self.sizing == "published":
            return images.to_uint8(output[0])
        height, width = self._inner_size(photo)
        return images.resize(images.to_uint8(output[0, :height, :width]), *photo.shape[:2])

    def _inner_size(self, photo):
        """The size of the photo itself, without padding, as the network sees it."""
        if self.engine.size is not None:
            return images.size_within(*photo.shape[:2], *self.engine.size)
        return images.enlarged_size(*photo.shape[:2], TRAINED_SIDE, MAX_ENLARGED_PIXELS)

    @property
    def model(self):
        """The Keras model, or None where an export runs."""
        return getattr(self.engine, "model", None)

    def network(self, batch, engine=None):
        """The answers, of the same shape, to float32 (N, H, W, 3) of `prepare`, some together.

        engine: what computes them, for those who choose one themselves.
        """
        try:
            result = (engine or self.engine)(batch)
        except MemoryError as error:
            height, width = batch.shape[1:3]
            raise MemoryError(
                f"{width}x{height} is too large for this device's memory; {LIMITS}"
            ) from error
        if not np.isfinite(result).all():
            raise InputError("checkpoint: its network answers with values that are not finite")
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
    """Raise `InputError` for what `Stylizer` would refuse without looking into the checkpoint."""
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
            f"strip_memory: expected a checkpoint that is no export, received {checkpoint}, which "
            "computes whole pictures only"
        )


def _check_checkpoint(checkpoint):
    kinds = "a run directory, a .weights.h5 file, a TensorFlow 1 checkpoint or an export"
    if isinstance(checkpoint, (str, os.PathLike)) and str(checkpoint):
        # A TensorFlow 1 checkpoint is named by the prefix of its files.
        if not (os.path.exists(checkpoint) or os.path.exists(f"{checkpoint}.index")):
            known = str(checkpoint) in styles.names()
            hint = f" (there is a style of that name: --style={checkpoint})" if known else ""
            raise InputError(f"checkpoint: expected {kinds}, found nothing at {checkpoint}{hint}")
    elif not callable(checkpoint):
        raise InputError(f"checkpoint: expected {kinds}, received {checkpoint!r}")
