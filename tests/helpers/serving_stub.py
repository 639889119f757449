"""TensorFlow Serving in miniature, for the tests of its clients: REST and gRPC on 127.0.0.1.

Both serve a real SavedModel folder (NAME/1/, NAME/2/...) with the requests, answers, error texts
and status codes that TensorFlow Serving documents: row and columnar JSON, {"b64": ...}, outputs in
"_bytes", names left out where there is one output, {"error": ...} escaped as C does.
"""

import base64
import binascii
import collections
import concurrent.futures
import contextlib
import http.server
import json
import re
import threading
import urllib.parse
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from file_server import running
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


class Refusal(Exception):
    """A status other than OK: the name of a gRPC code, and a text."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code, self.text = code, text


class ServedModel:
    """The versions of a SavedModel folder under a name. `states` may be changed, by version."""

    def __init__(self, folder, name="animegan"):
        self.name = name
        # Whatever else lies there is not looked at, as by the real server.
        numbered = [path for path in Path(folder).iterdir() if path.name.isdecimal()]
        found = sorted((int(path.name), path) for path in numbered)
        self._loaded = {number: tf.saved_model.load(str(path)) for number, path in found}
        self._graphs = {number: _signature_defs(path) for number, path in found}
        self.states = dict.fromkeys(self._loaded, "AVAILABLE")

    def status(self, name, version):
        answer = get_model_status_pb2.GetModelStatusResponse()
        if name != self.name:
            raise Refusal("NOT_FOUND", f"Could not find any versions of model {name}")
        if version is not None and version not in self.states:
            raise Refusal("NOT_FOUND", f"Could not find version {version} of model {name}")
        for number, state in self.states.items():
            if version in (None, number):
                one = answer.model_version_status.add(version=number)
                one.state = get_model_status_pb2.ModelVersionStatus.State.Value(state)
        return answer

    def metadata(self, name, version):
        version = self._version(name, version)
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        answer.model_spec.name = name
        answer.model_spec.version.value = version
        answer.metadata["signature_def"].Pack(self._graphs[version])
        return answer

    def types(self, name, version, signature):
        """Names and types of a signature's inputs, or None without such a signature."""
        found = self._graphs[self._version(name, version)].signature_def.get(signature)
        return found and {key: info.dtype for key, info in found.inputs.items()}

    def predict(self, name, version, signature, inputs):
        """Arrays or tensors by name to arrays by name."""
        function = self._loaded[self._version(name, version)].signatures[signature]
        try:
            outputs = function(**{key: tf.constant(value) for key, value in inputs.items()})
        except tf.errors.OpError as error:
            code = "INVALID_ARGUMENT" if error.error_code == 3 else "INTERNAL"
            raise Refusal(code, error.message) from error
        except (TypeError, ValueError) as error:
            raise Refusal("INVALID_ARGUMENT", str(error)) from error
        return {key: value.numpy() for key, value in outputs.items()}

    def _version(self, name, version):
        ready = [number for number, state in self.states.items() if state == "AVAILABLE"]
        if name == self.name and version is None and ready:
            return max(ready)
        if name == self.name and version in ready:
            return version
        wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        raise Refusal("NOT_FOUND", f"Servable not found for request: {wanted}")


def _signature_defs(folder):
    graph = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    found = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in graph.meta_graphs[0].signature_def.items():
        found.signature_def[name].CopyFrom(signature)
    return found


# --- REST ----------------------------------------------------------------------------------------


class RestServer(http.server.ThreadingHTTPServer):
    """`asked` has each request's method and path. `faults`: what to do instead of answering the
    next requests, functions of the handler; None answers as usual."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, model, port):
        super().__init__(("127.0.0.1", port), _RestHandler)
        self.model, self.asked, self.faults = model, [], collections.deque()
        self.bodies = []
        self.leave = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _RestHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self._answer(self._get)

    def do_POST(self):
        self._answer(self._post)

    def send(self, status, body, kind="application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

    def _answer(self, method):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server = self.server
        server.asked.append(f"{self.command} {self.path}")
        server.bodies.append(body)
        fault = server.faults.popleft() if server.faults else None
        with contextlib.suppress(ConnectionError):  # the client may leave early
            if fault is not None:
                fault(self)
                return
            try:
                answer = method(body)
            except Refusal as error:
                self.send(HTTP_STATUS.get(error.code, 500), rest_error(error.text))
            else:
                self.send(200, json.dumps(answer, indent=4).encode())

    def _get(self, _):
        found = re.fullmatch(r"(?i)/v1/models/([^/:]+)(?:/versions/(\d+))?(/metadata)?", self.path)
        if found is None:
            raise Refusal("INVALID_ARGUMENT", f"Malformed request: GET {self.path}")
        model, version = _named_model(found)
        if not found[3]:
            status = self.server.model.status(model, version)
            return json_format.MessageToDict(status, always_print_fields_with_no_presence=True)
        answer = self.server.model.metadata(model, version)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(signatures)
        shown = {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}
        return {
            "model_spec": json_format.MessageToDict(answer.model_spec, **shown),
            "metadata": {"signature_def": json_format.MessageToDict(signatures, **shown)},
        }

    def _post(self, body):
        found = re.fullmatch(r"(?i)/v1/models/([^/:]+)(?:/versions/(\d+))?:predict", self.path)
        if found is None:
            raise Refusal("INVALID_ARGUMENT", f"Malformed request: POST {self.path}")
        model, version = _named_model(found)
        try:
            question = json.loads(body)
        except ValueError:
            raise Refusal("INVALID_ARGUMENT", "JSON Parse error: Invalid value.") from None
        signature = question.get("signature_name", "serving_default")
        types = self.server.model.types(model, version, signature)
        if types is None:
            text = f'Serving signature name: "{signature}" not found in signature def'
            raise Refusal("INVALID_ARGUMENT", text)
        rows = "instances" in question
        if rows == ("inputs" in question):
            raise Refusal("INVALID_ARGUMENT", "Missing 'inputs' or 'instances' key")
        inputs = _row_inputs(question["instances"], types) if rows else None
        if inputs is None:
            inputs = _columnar_inputs(question["inputs"], types)
        outputs = self.server.model.predict(model, version, signature, inputs)
        return _row_answer(outputs) if rows else _columnar_answer(outputs)


def rest_error(text):
    """{"error": text}, escaped as C does and not as JSON does, which TensorFlow Serving does."""
    escapes = {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}
    escapes |= {ord(char): f"\\{char}" for char in "\"'\\"}
    escaped = "".join(
        escapes.get(byte, chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}")
        for byte in text.encode()
    )
    return f'{{ "error": "{escaped}" }}'.encode()


def _named_model(found):
    return urllib.parse.unquote(found[1]), None if found[2] is None else int(found[2])


def _is_b64(value):
    return isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)


def _row_inputs(instances, types):
    if not isinstance(instances, list) or not instances:
        raise Refusal("INVALID_ARGUMENT", "No values in 'instances' array")
    if isinstance(instances[0], dict) and not _is_b64(instances[0]):
        rows = instances
    elif len(types) == 1:
        rows = [{name: value} for value in instances for name in types]
    else:
        raise Refusal("INVALID_ARGUMENT", "instances is a plain list, but expecting objects")
    if any(set(row) != set(types) for row in rows):
        names = ",".join(sorted(types))
        raise Refusal("INVALID_ARGUMENT", f"'instances' list must only have keys: {names}")
    return {name: _tensor([row[name] for row in rows], types[name]) for name in types}


def _columnar_inputs(inputs, types):
    if not isinstance(inputs, dict) or _is_b64(inputs):
        (name,) = types
        inputs = {name: inputs}
    return {name: _tensor(inputs[name], types[name]) for name in types}


def _tensor(value, dtype):
    def leaf(one):
        if isinstance(one, list):
            return [leaf(part) for part in one]
        if dtype == tf.string.as_datatype_enum:
            return base64.b64decode(one["b64"], validate=True) if _is_b64(one) else one.encode()
        if not isinstance(one, (int, float)):
            raise ValueError
        return one

    wanted = tf.dtypes.as_dtype(dtype)
    try:
        numbers = object if wanted == tf.string else wanted.as_numpy_dtype
        return np.array(leaf(value), numbers)
    except binascii.Error:
        raise Refusal("INVALID_ARGUMENT", "Unable to base64 decode") from None
    except (AttributeError, TypeError, ValueError, OverflowError):
        text = f"JSON Value is not of expected type: {wanted.name}"
        raise Refusal("INVALID_ARGUMENT", text) from None


def _json_value(name, value):
    if isinstance(value, bytes):
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(value).decode()}
        return value.decode()
    if isinstance(value, np.ndarray):
        return [_json_value(name, part) for part in value]
    return value.item()


def _row_answer(outputs):
    columns = {name: _json_value(name, value) for name, value in outputs.items()}
    if len(columns) == 1:
        return {"predictions": next(iter(columns.values()))}
    rows = zip(*columns.values(), strict=True)
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}


def _columnar_answer(outputs):
    columns = {name: _json_value(name, value) for name, value in outputs.items()}
    return {"outputs": next(iter(columns.values())) if len(columns) == 1 else columns}


# --- gRPC ----------------------------------------------------------------------------------------


class GrpcServer(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    """`asked` and `faults` as of `RestServer`; a fault is a function of the context, and answers,
    aborts or waits."""

    def __init__(self, model, port):
        self.model, self.asked, self.faults = model, [], collections.deque()
        self.leave = threading.Event()
        # As TensorFlow Serving, which takes messages of up to 2 GB.
        lengths = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        pool = concurrent.futures.ThreadPoolExecutor(4)
        self.server = grpc.server(pool, options=lengths)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(self, self.server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(self, self.server)
        self.url = f"grpc://127.0.0.1:{self.server.add_insecure_port(f'127.0.0.1:{port}')}"

    def GetModelStatus(self, request, context):
        return self._answer("GetModelStatus", context, request, self.model.status)

    def GetModelMetadata(self, request, context):
        return self._answer("GetModelMetadata", context, request, self.model.metadata)

    def Predict(self, request, context):
        return self._answer(
            "Predict", context, request, lambda *spec: self._predict(request, *spec)
        )

    def _answer(self, method, context, request, function):
        self.asked.append(method)
        fault = self.faults.popleft() if self.faults else None
        if fault is not None:
            return fault(context)
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        try:
            return function(spec.name, version)
        except Refusal as error:
            return context.abort(grpc.StatusCode[error.code], error.text)

    def _predict(self, request, name, version):
        signature = request.model_spec.signature_name or "serving_default"
        types = self.model.types(name, version, signature)
        if types is None:
            text = f'Serving signature key "{signature}" not found.'
            raise Refusal("FAILED_PRECONDITION", text)
        if set(request.inputs) != set(types):
            text = f"input size does not match signature. Missing: {sorted(types)}"
            raise Refusal("INVALID_ARGUMENT", text)
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        answer = predict_pb2.PredictResponse()
        answer.model_spec.CopyFrom(request.model_spec)
        for key, value in self.model.predict(name, version, signature, inputs).items():
            answer.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return answer


def serving_rest(model, port=0):
    """Run a `RestServer` for a `ServedModel`; a context manager."""
    return running(RestServer(model, port))


@contextlib.contextmanager
def serving_grpc(model, port=0):
    """Run a `GrpcServer` for a `ServedModel`."""
    server = GrpcServer(model, port)
    server.server.start()
    try:
        yield server
    finally:
        server.leave.set()
        server.server.stop(None).wait()
