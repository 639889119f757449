"""Runs an exported model in a process that cannot import this project. Started by `check`.

    python isolated.py REQUEST.json

Runs the request's `model` of a `kind` of `_RUNNERS` with `threads` threads (a SavedModel uses
TensorFlow's default). `inputs` is an .npz of arrays named SIGNATURE:NUMBER; outputs are written
under the same names to `outputs`, an .npz, and measurements to `measured`, JSON. `memory` is the
path of memory.py, which needs nothing else of the project.
"""

import collections
import json
import os
import runpy
import sys
import time

import numpy as np


def _run_tflite(request, photos):
    from ai_edge_litert.interpreter import Interpreter

    outputs, seconds, placement = {}, {}, {}
    for name, photo in photos.items():
        # A new interpreter per photo: sizes differ, and applications start with a new one too.
        interpreter = Interpreter(request["model"], num_threads=request["threads"])
        input_, output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        if list(input_["shape"]) != list(photo.shape):
            interpreter.resize_tensor_input(input_["index"], photo.shape, strict=True)
        interpreter.allocate_tensors()
        interpreter.set_tensor(input_["index"], photo)
        start = time.perf_counter()
        interpreter.invoke()
        seconds[name] = time.perf_counter() - start
        outputs[name] = interpreter.get_tensor(output["index"])
        placement = placement or _placement(interpreter)
    signatures = Interpreter(request["model"]).get_signature_list()
    return outputs, {"seconds": seconds, "signatures": signatures, **placement}


def _placement(interpreter):
    """The operators inside and outside delegates, found from the outputs backwards."""
    operators = interpreter._get_ops_details()
    producer = {}
    for delegates in (False, True):  # a delegate replaces its operators
        for operator in operators:
            if (operator["op_name"] == "DELEGATE") == delegates:
                producer.update({int(tensor): operator for tensor in operator["outputs"]})
    waiting = [int(output["index"]) for output in interpreter.get_output_details()]
    running = {}
    while waiting:
        operator = producer.get(waiting.pop())
        if operator is not None and operator["index"] not in running:
            running[operator["index"]] = operator["op_name"]
            waiting += [int(tensor) for tensor in operator["inputs"] if tensor >= 0]
    names = collections.Counter(running.values())
    partitions = names.pop("DELEGATE", 0)
    every = collections.Counter(o["op_name"] for o in operators if o["op_name"] != "DELEGATE")
    return {"partitions": partitions, "outside": dict(names), "operators": dict(every)}


def _run_onnx(request, photos):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = request["threads"]
    session = onnxruntime.InferenceSession(
        request["model"], options, providers=["CPUExecutionProvider"]
    )
    (input_,) = session.get_inputs()
    return _timed(photos, lambda photo, _: session.run(None, {input_.name: photo})[0])


def _run_openvino(request, photos):
    import openvino

    # Processors with bfloat16 would use it by default.
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": request["threads"]}
    model = openvino.Core().compile_model(request["model"], "CPU", options)
    return _timed(photos, lambda photo, _: model(photo)[0])


def _timed(photos, run):
    """The outputs of `run(photo, name)` for all photos, and their seconds."""
    outputs, seconds = {}, {}
    for name, photo in photos.items():
        start = time.perf_counter()
        outputs[name] = run(photo, name)
        seconds[name] = time.perf_counter() - start
    return outputs, {"seconds": seconds}


def _run_saved_model(request, photos):
    import tensorflow as tf

    loaded = tf.saved_model.load(request["model"])

    def run(photo, name):
        signature = loaded.signatures[name.partition(":")[0]]
        (key,) = signature.structured_input_signature[1]
        tensor = tf.constant([photo.tobytes()]) if photo.ndim == 1 else tf.constant(photo)
        (output,) = signature(**{key: tensor}).values()
        output = output.numpy()
        return np.frombuffer(output[0], np.uint8) if output.dtype == object else output

    outputs, measured = _timed(photos, run)
    return outputs, {**measured, "signatures": sorted(loaded.signatures)}


_RUNNERS = {
    "tflite": _run_tflite,
    "saved_model": _run_saved_model,
    "onnx": _run_onnx,
    "openvino": _run_openvino,
}


def main(path):
    with open(path, encoding="utf-8") as file:
        request = json.load(file)
    with np.load(request["inputs"]) as stored:
        photos = {name: stored[name] for name in stored.files}
    outputs, measured = _RUNNERS[request["kind"]](request, photos)
    peak = runpy.run_path(request["memory"])["peak"]()
    measured["peak_megabytes"] = None if peak is None else peak / 2**20
    np.savez(request["outputs"], **outputs)
    with open(request["measured"], "w", encoding="utf-8") as file:
        json.dump(measured, file)


if __name__ == "__main__":
    # From here on any import of the project fails, as on a server or a phone.
    sys.modules["animegan_tf"] = None
    # Modules beside this file must not hide installed ones of the same name.
    if not getattr(sys.flags, "safe_path", False):  # Python 3.10 lacks this flag
        del sys.path[0]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main(sys.argv[1])
