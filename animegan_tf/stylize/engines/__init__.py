"""Inference engines: Keras, TFLite files with LiteRT, SavedModels, or automatic choice.

`base.Engine` is their protocol; `load_engine` chooses one for a checkpoint.
"""

from typing import TYPE_CHECKING

from animegan_tf import lazy

if TYPE_CHECKING:
    from animegan_tf.stylize.engines.base import Engine
    from animegan_tf.stylize.engines.choose import is_export, load_engine, needs_tensorflow
    from animegan_tf.stylize.engines.keras import KerasEngine
    from animegan_tf.stylize.engines.litert import ConvertedEngine, LiteRTEngine
    from animegan_tf.stylize.engines.saved_model import SavedModelEngine, saved_model_folder

_MODULE_OF = {
    "Engine": "base",
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
