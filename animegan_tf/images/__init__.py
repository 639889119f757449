"""Images: files in and out, sizes, padding, [-1, 1] and 8 bits, brightness. No TensorFlow.

Unless a name says otherwise an image is uint8 RGB, (height, width, 3), and an alpha channel is an
image of its own, uint8 (height, width). Sizes are given as (height, width). What the network sees
is float32 RGB in [-1, 1].

`formats` says what a file is; `read` reads it, with `colours` (profiles to sRGB) and `metadata`;
`write` writes results. `values` and `sizes` are for arrays.
"""

from typing import TYPE_CHECKING

from animegan_tf import lazy

if TYPE_CHECKING:
    from animegan_tf.images.formats import (
        JPEG_SUFFIXES,
        PHOTO_SUFFIXES,
        RESULT_SUFFIXES,
        result_suffix,
    )
    from animegan_tf.images.metadata import Metadata
    from animegan_tf.images.read import (
        Photo,
        decode_photo,
        digest_of,
        photo_of,
        photo_size,
        read_photo,
        source_of,
    )
    from animegan_tf.images.sizes import (
        PUBLISHED_MIN_SIDE,
        PUBLISHED_MULTIPLE,
        enlarged_size,
        limit_side,
        pad_to_multiple,
        pad_to_size,
        preprocess_published,
        published_size,
        resize,
        side_by_side,
        size_within,
    )
    from animegan_tf.images.values import (
        brightness_scale,
        check_rgb,
        even_choice,
        fill_transparent,
        luma,
        match_brightness,
        on_white,
        scale_levels,
        to_network,
        to_uint8,
    )
    from animegan_tf.images.write import encode_photo, write_photo

_NAMES = {
    "formats": "JPEG_SUFFIXES PHOTO_SUFFIXES RESULT_SUFFIXES result_suffix",
    "metadata": "Metadata",
    "read": "Photo decode_photo digest_of photo_of photo_size read_photo source_of",
    "sizes": "PUBLISHED_MIN_SIDE PUBLISHED_MULTIPLE enlarged_size limit_side pad_to_multiple "
    "pad_to_size preprocess_published published_size resize side_by_side size_within",
    "values": "brightness_scale check_rgb even_choice fill_transparent luma match_brightness "
    "on_white scale_levels to_network to_uint8",
    "write": "encode_photo write_photo",
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = list(_MODULE_OF)


def __getattr__(name):
    return lazy.load(__name__, _MODULE_OF, name)
