"""Photos and films through a generator: what `animegan-stylize` does, read from `__main__`.

A photo: `jobs` (which files, which outputs) → `batch` (one after the other) → `stylizer` →
`engines` (Keras, LiteRT or a SavedModel; large photos in strips) → `guided` (brought to its size).
A film: `film` → `making` (from source to output) → `frames` (what the network sees, and its
output) by the `threads`; `journal` is what an interrupted film goes on from; `flicker` and
`stable` keep brightness and colours steady. `camera` is for what has no end.

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
