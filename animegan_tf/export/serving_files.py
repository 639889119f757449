"""Files for TF Serving beside a SavedModel: warm-up requests, model list, batching parameters."""

from pathlib import Path

import cv2
import numpy as np

from animegan_tf import storage
from animegan_tf.export import files

WARM_UP = Path("assets.extra", "tf_serving_warmup_requests")
MODELS, BATCHING = "models.config", "batching.config"

_MODELS_TEXT = """\
# For tensorflow_model_server --model_config_file=/models/{name}/{file}
model_config_list {{
  config {{
    name: "{name}"
    base_path: "/models/{name}"
    model_platform: "tensorflow"
  }}
}}
"""
_BATCHING_TEXT = """\
# For tensorflow_model_server --enable_batching --batching_parameters_file=/models/{name}/{file}
# Requests of image_bytes are batched for any image sizes; those of serving_default and raw only if
# all images have one size. Padding stays off, since it would change the outputs.
max_batch_size {{ value: 4 }}
batch_timeout_micros {{ value: 2000 }}
max_enqueued_batches {{ value: 64 }}
num_batch_threads {{ value: 2 }}
pad_variable_length_inputs: false
"""


def serving_protos():
    """The modules (predict_pb2, prediction_log_pb2). Raises `InputError` if not installed."""
    names = ("predict_pb2", "prediction_log_pb2")
    modules = (f"tensorflow_serving.apis.{name}" for name in names)
    return files.load("warmup:", "serving", *modules, hint=", or use --nowarmup")


def write_warm_up(folder, name, default_type):
    """Write one request for each signature into the SavedModel `folder` of the model `name`.

    default_type: the NumPy type of the input of serving_default.
    """
    import tensorflow as tf

    predict_pb2, prediction_log_pb2 = serving_protos()
    gray = np.full((1, 256, 256, 3), 128, np.uint8)
    png = cv2.imencode(".png", gray[0])[1].tobytes()
    default = gray if default_type == np.uint8 else (gray / 255).astype(np.float32)
    requests = {
        "serving_default": {"images": default},
        "image_bytes": {"image_bytes": np.array([png], object)},
        "raw": {"images": np.zeros((1, 256, 256, 3), np.float32)},
    }
    path = Path(folder) / WARM_UP
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name = name
            request.model_spec.signature_name = signature
            for key, value in inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictLog(request=request)
            record = prediction_log_pb2.PredictionLog(predict_log=log)
            writer.write(record.SerializeToString())


def write_configurations(folder, name):
    """Write the model list and the batching parameters into `folder`, unless they exist."""
    for file, text in ((MODELS, _MODELS_TEXT), (BATCHING, _BATCHING_TEXT)):
        path = Path(folder, file)
        if not path.exists():
            storage.write_text(path, text.format(name=name, file=file))
