"""Images: files, sizes, padding, [-1, 1] and levels, brightness. No TensorFlow.

Unless a name says otherwise, an image is uint8 RGB (height, width, 3), and an alpha channel is a
separate image, uint8 (height, width). Sizes are (height, width). The network's input is float32 RGB
in [-1, 1].

`formats` detects the format of a file; `read` decodes it, with `colours` (to sRGB), `tiff` and
`metadata`; `write` encodes outputs. `arrays` has the operations on arrays.
"""

from typing import TYPE_CHECKING

from animegan_tf import lazy

if TYPE_CHECKING:
    from animegan_tf.images.arrays import *  # noqa: F403
    from animegan_tf.images.formats import *  # noqa: F403
    from animegan_tf.images.metadata import *  # noqa: F403
    from animegan_tf.images.read import *  # noqa: F403
    from animegan_tf.images.write import *  # noqa: F403

_NAMES = {
    "arrays": "PUBLISHED_MIN_SIDE PUBLISHED_MULTIPLE as_kind brightness_scale check_rgb described "
    "enlarged_size even_choice fill_transparent limit_side luma match_brightness on_white "
    "pad_to_multiple pad_to_size preprocess_published published_size resize scale_levels "
    "side_by_side size_within to_levels to_network to_uint8 white_of",
    "formats": "JPEG_SUFFIXES PHOTO_SUFFIXES RESULT_SUFFIXES result_suffix",
    "metadata": "Metadata",
    "read": "Photo decode_photo digest_of photo_of read_photo size_of source_of",
    "write": "encode_photo write_photo",
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = list(_MODULE_OF)


def __getattr__(name):
    return lazy.load(__name__, _MODULE_OF, name)
