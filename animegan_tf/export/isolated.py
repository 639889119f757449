"""Runs an exported model where this project does not exist. Started by `check`.

    python isolated.py REQUEST.json

Runs the request's `model` of the `kind` "tflite", with that many `threads`, or "saved_model". Reads
the pictures of its `inputs`, an .npz of arrays named SIGNATURE:NUMBER; writes the answers under the
same names to `outputs`, an .npz, and what it measured to `measured`, JSON. `memory` is the path of
memory.py, which needs nothing of the project.
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

    answers, seconds, placed = {}, {}, {}
    for name, photo in photos.items():
        # A new one each: sizes differ, and an application starts with a new one too.
        interpreter = Interpreter(request["model"], num_threads=request["threads"])
        given, made = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        if list(given["shape"]) != list(photo.shape):
            interpreter.resize_tensor_input(given["index"], photo.shape, strict=True)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], photo)
        start = time.perf_counter()
        interpreter.invoke()
        seconds[name] = time.perf_counter() - start
        answers[name] = interpreter.get_tensor(made["index"])
        placed = placed or _placement(interpreter)
    signatures = Interpreter(request["model"]).get_signature_list()
    return answers, {"seconds": seconds, "signatures": signatures, **placed}


def _placement(interpreter):
    """Which operators the delegate took: those that run are found from the outputs backwards."""
    operators = interpreter._get_ops_details()
    producer = {}
    for delegates in (False, True):  # a delegate stands for the operators it replaced
        for operator in operators:
            if (operator["op_name"] == "DELEGATE") == delegates:
                producer.update({int(tensor): operator for tensor in operator["outputs"]})
    waiting = [int(made["index"]) for made in interpreter.get_output_details()]
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


def _run_saved_model(request, photos):
    import tensorflow as tf

    loaded = tf.saved_model.load(request["model"])
    answers, seconds = {}, {}
    for name, photo in photos.items():
        signature = loaded.signatures[name.partition(":")[0]]
        (key,) = signature.structured_input_signature[1]
        tensor = tf.constant([photo.tobytes()]) if photo.ndim == 1 else tf.constant(photo)
        start = time.perf_counter()
        (answer,) = signature(**{key: tensor}).values()
        answer = answer.numpy()
        seconds[name] = time.perf_counter() - start
        encoded = answer.dtype == object
        answers[name] = np.frombuffer(answer[0], np.uint8) if encoded else answer
    return answers, {"seconds": seconds, "signatures": sorted(loaded.signatures)}


def main(path):
    with open(path, encoding="utf-8") as file:
        request = json.load(file)
    with np.load(request["inputs"]) as stored:
        photos = {name: stored[name] for name in stored.files}
    run = _run_tflite if request["kind"] == "tflite" else _run_saved_model
    answers, measured = run(request, photos)
    peak = runpy.run_path(request["memory"])["peak"]()
    measured["peak_megabytes"] = None if peak is None else peak / 2**20
    np.savez(request["outputs"], **answers)
    with open(request["measured"], "w", encoding="utf-8") as file:
        json.dump(measured, file)


if __name__ == "__main__":
    # Any import of the project fails from here on, as it would on a server or a phone.
    sys.modules["animegan_tf"] = None
    # Nor are the modules beside this file in the way of installed ones of the same names.
    if not getattr(sys.flags, "safe_path", False):  # which Python 3.10 does not know
        del sys.path[0]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main(sys.argv[1])
