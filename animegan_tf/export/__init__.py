"""Exports of generators: SavedModel for TF Serving, TFLite for phones.

`export_saved_model` and `export_tflite` check the export in a separate process before it appears at
its final path. `python -m animegan_tf.export` is their command line.
"""

from typing import TYPE_CHECKING

from animegan_tf import lazy

if TYPE_CHECKING:
    from animegan_tf.export.saved_model import export_saved_model
    from animegan_tf.export.tflite import export_tflite

_MODULE_OF = {"export_saved_model": "saved_model", "export_tflite": "tflite"}

__all__ = list(_MODULE_OF)


def __getattr__(name):
    return lazy.load(__name__, _MODULE_OF, name)
