"""Exports of generators: SavedModel for TF Serving, TFLite, ONNX, OpenVINO, Core ML, a web page.

Each function checks its export in a separate process before it appears at its final path.
`python -m animegan_tf.export` is their command line; `files` has the steps that they share.
"""

from typing import TYPE_CHECKING

from animegan_tf import lazy

if TYPE_CHECKING:
    from animegan_tf.export.coreml import export_coreml
    from animegan_tf.export.onnx import export_onnx, export_openvino
    from animegan_tf.export.saved_model import export_saved_model
    from animegan_tf.export.tflite import export_tflite
    from animegan_tf.export.web import export_web

_MODULE_OF = {
    "export_saved_model": "saved_model",
    "export_tflite": "tflite",
    "export_onnx": "onnx",
    "export_openvino": "onnx",
    "export_coreml": "coreml",
    "export_web": "web",
}

__all__ = list(_MODULE_OF)


def __getattr__(name):
    return lazy.load(__name__, _MODULE_OF, name)
