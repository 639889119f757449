"""Stylising of photos and videos: the package of `animegan-stylize`. Start reading at `__main__`.

Photos: `jobs` (inputs and output paths) → `batch` (one after the other) → `stylizer` → `engines`
(Keras, LiteRT or a SavedModel; large photos in strips) → `guided` (upsampling to the photo's size).
Videos: `film` → `making` (from source to output) → `frames` (pre- and post-processing of a frame)
in several `threads`; `journal` lets an interrupted run continue; `flicker` and `stable` stabilise
brightness and colours. `camera` stylises cameras and streams.

Images are uint8 RGB (H, W, 3); times are `fractions.Fraction` seconds.
"""

from typing import TYPE_CHECKING

from animegan_tf import lazy

if TYPE_CHECKING:
    from animegan_tf.stylize.batch import stylize_paths
    from animegan_tf.stylize.film import stylize_video
    from animegan_tf.stylize.options import VideoOptions
    from animegan_tf.stylize.stylizer import Stylizer

_MODULE_OF = {
    "Stylizer": "stylizer",
    "stylize_paths": "batch",
    "stylize_video": "film",
    "VideoOptions": "options",
}

__all__ = list(_MODULE_OF)


def __getattr__(name):
    return lazy.load(__name__, _MODULE_OF, name)
