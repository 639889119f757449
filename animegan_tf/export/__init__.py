"""Generators in the forms that production takes: SavedModel for TF Serving, TFLite for phones.

`export_saved_model` and `export_tflite` write, check in a fresh process, and only then move into
place. `python -m animegan_tf.export` is their command line.
"""

import importlib

_MODULE_OF = {"export_saved_model": "saved_model", "export_tflite": "tflite"}

__all__ = list(_MODULE_OF)


def __getattr__(name):
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
