"""The served graph: decoding, resizing, padding, network and encoding for images of any size.

The steps are those of `Stylizer` with `sizing="photo"`: images with a side below 256 are enlarged
for the network and the output is shrunk again; sides are padded by reflection to the network's
multiple and cropped afterwards.
"""

import tensorflow as tf

from animegan_tf.recipes import MAX_ENLARGED_PIXELS, TRAINED_SIDE

MIN_SIDE = 16
_DECODABLE = "JPEG, PNG, BMP or GIF"


class ServedGenerator:
    """The signatures of a served generator as methods.

    run: the network: float32 RGB in [-1, 1] (N, H, W, 3), sides multiples of `multiple`, to the
    same. weights: its `tf.Variable`s.
    encoding: output format of `image_bytes`, "png" or "jpeg". max_pixels: larger images are an
    error. match_brightness: apply `animegan_tf.images.match_brightness`.
    """

    def __init__(
        self, run, weights, multiple, *, max_pixels, encoding="png", match_brightness=False
    ):
        self.weights = weights
        self._run = run
        self._multiple = multiple
        self._max_pixels = max_pixels
        self._encoding = encoding
        self._match = match_brightness

    def from_uint8(self, images):
        """uint8 RGB (N, H, W, 3) to the same."""
        return self._stylize_levels(tf.cast(images, tf.float32))

    def from_float(self, images):
        """float32 RGB in [0, 1] (N, H, W, 3) to uint8 of the same size; other ranges are errors."""
        low, high = tf.reduce_min(images), tf.reduce_max(images)
        message = ["images: expected RGB in [0, 1], received values from", low, "to", high]
        checks = [
            tf.Assert(low >= 0.0, [*message, "(signature raw takes -1 to 1)"]),
            tf.Assert(high <= 1.0, [*message, "(0 to 255 is for uint8)"]),
        ]
        with tf.control_dependencies(checks):
            return self._stylize_levels(tf.identity(images) * 255.0)

    def from_bytes(self, image_bytes):
        """(N,) encoded images of any sizes to (N,) encoded images of the same sizes."""
        spec = tf.TensorSpec([], tf.string)
        return tf.map_fn(
            self._encoded, image_bytes, fn_output_signature=spec, parallel_iterations=1
        )

    def raw(self, images):
        """float32 RGB in [-1, 1] (N, H, W, 3) to the same: only padding and cropping is added."""
        with tf.control_dependencies(self._checks(images)):
            return self._any_size(tf.identity(images))

    def _encoded(self, data):
        result = self.from_uint8(_decode(data)[None])[0]
        if self._encoding == "jpeg":
            return tf.io.encode_jpeg(result, quality=95)
        return tf.io.encode_png(result)

    def _checks(self, images):
        sizes = tf.shape(images, tf.int64)
        height, width = sizes[1], sizes[2]
        received = ["received (N, H, W, 3) of", sizes]
        return [
            tf.Assert(
                tf.minimum(height, width) >= MIN_SIDE,
                [f"images: expected sides of at least {MIN_SIDE} pixels,", *received],
            ),
            tf.Assert(
                height * width <= self._max_pixels,
                [f"images: expected at most {self._max_pixels} pixels,", *received],
            ),
        ]

    def _stylize_levels(self, levels):
        """float32 RGB of 0..255 to uint8."""
        with tf.control_dependencies(self._checks(levels)):
            photo = tf.identity(levels)
        size = tf.shape(photo)[1:3]
        inner = _enlarged(size)
        enlarged = tf.cond(
            tf.reduce_all(inner == size),
            lambda: photo,
            lambda: tf.image.resize(photo, inner, "bilinear"),
        )
        result = (self._any_size(enlarged / 127.5 - 1.0) + 1.0) * 127.5
        result = tf.cond(
            tf.reduce_all(inner == size),
            lambda: result,
            lambda: tf.image.resize(result, size, "area"),
        )
        rounded = tf.round(tf.clip_by_value(result, 0.0, 255.0))
        if self._match:
            rounded = _match_brightness(rounded, photo)
        return tf.cast(rounded, tf.uint8)

    def _any_size(self, images):
        height, width = tf.unstack(tf.shape(images)[1:3])
        padded = tf.pad(
            images,
            [[0, 0], [0, self._missing(height)], [0, self._missing(width)], [0, 0]],
            "REFLECT",
        )
        return self._run(padded)[:, :height, :width]

    def _missing(self, side):
        """Pixels up to the next multiple; other runtimes disagree on the modulo of negatives."""
        return (self._multiple - side % self._multiple) % self._multiple


def _decode(data):
    """Decode an image to uint8 RGB (H, W, 3), JPEG as other programs do.

    TensorFlow's default for JPEG is faster, but differs by one level on average.
    """
    image = tf.cond(
        tf.io.is_jpeg(data),
        lambda: tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(data, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(image, (None, None, 3))


def _enlarged(size):
    """`animegan_tf.images.enlarged_size` of an int32 (height, width)."""
    sides = tf.cast(size, tf.float64)
    wanted = TRAINED_SIDE / tf.reduce_min(sides)
    allowed = tf.sqrt(MAX_ENLARGED_PIXELS / tf.reduce_prod(sides))
    scale = tf.maximum(tf.constant(1.0, tf.float64), tf.minimum(wanted, allowed))
    return tf.cast(tf.round(sides * scale), tf.int32)


def _match_brightness(result, photo):
    """The published rule for each image of a batch, see `animegan_tf.images.match_brightness`."""
    weights = tf.constant([0.114, 0.587, 0.299])
    means = [tf.reduce_sum(tf.reduce_mean(p, (1, 2)) * weights, -1) for p in (photo, result)]
    scale = tf.where(means[1] == 0.0, 1.0, tf.math.divide_no_nan(*means))
    return tf.floor(tf.clip_by_value(result * scale[:, None, None, None], 0.0, 255.0))
