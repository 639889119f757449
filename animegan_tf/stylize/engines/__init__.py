"""What runs a network: Keras, a TFLite file under LiteRT, a SavedModel, or what is faster.

An engine is called with float32 RGB in [-1, 1], (N, H, W, 3), and answers with the same. Its
`multiple` is what H and W must be multiples of; its `size` is the one (height, width) that it
takes, or None for any; its `match_brightness` whether the style wants its results to have their
photo's brightness; its `identity()` a text that tells networks apart; `has_model` whether it has
the Keras model as `model`; `on_litert` whether that is done by LiteRT.
"""

from typing import TYPE_CHECKING

from animegan_tf import lazy

if TYPE_CHECKING:
    from animegan_tf.stylize.engines.choose import is_export, load_engine, needs_tensorflow
    from animegan_tf.stylize.engines.keras import KerasEngine
    from animegan_tf.stylize.engines.litert import ConvertedEngine, LiteRTEngine
    from animegan_tf.stylize.engines.saved_model import SavedModelEngine, saved_model_folder

_MODULE_OF = {
    "load_engine": "choose",
    "is_export": "choose",
    "needs_tensorflow": "choose",
    "KerasEngine": "keras",
    "LiteRTEngine": "litert",
    "ConvertedEngine": "litert",
    "SavedModelEngine": "saved_model",
    "saved_model_folder": "saved_model",
}

__all__ = list(_MODULE_OF)


def __getattr__(name):
    return lazy.load(__name__, _MODULE_OF, name)
