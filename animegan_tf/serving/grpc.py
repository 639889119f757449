"""TensorFlow Serving over gRPC. Loads TensorFlow, which defines the messages."""

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from animegan_tf.serving.protocol import (
    ModelMissing,
    ServingError,
    Signature,
    Unavailable,
    one_line,
)

# Milliseconds. gRPC's default pauses before reconnecting, up to two minutes, are too long here.
_RECONNECT = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
_TOO_LONG = "message larger than max"


class GrpcConnection:
    """A `protocol.Connection` over gRPC."""

    def __init__(self, target, model, version, timeout, max_message_mb):
        self._server = f"grpc://{target}"  # for messages
        self._model, self._version, self._timeout = model, version, timeout
        limit = max_message_mb * 2**20
        self._channel = grpc.insecure_channel(
            target,
            options=[
                ("grpc.max_send_message_length", limit),
                ("grpc.max_receive_message_length", limit),
                *_RECONNECT,
            ],
        )
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def versions(self):
        request = self._for_model(get_model_status_pb2.GetModelStatusRequest())
        response = self._call(self._models.GetModelStatus, request)
        states = get_model_status_pb2.ModelVersionStatus.State
        return {
            status.version: states.Name(status.state) for status in response.model_version_status
        }

    def signatures(self):
        request = self._for_model(get_model_metadata_pb2.GetModelMetadataRequest())
        request.metadata_field.append("signature_def")
        response = self._call(self._predictions.GetModelMetadata, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        if not response.metadata["signature_def"].Unpack(signatures):
            raise ServingError(f"{self._server}: expected a model's metadata, received none")
        return {
            name: Signature(_types(signature.inputs), _types(signature.outputs))
            for name, signature in signatures.signature_def.items()
        }

    def predict(self, signature, name, values):
        request = self._for_model(predict_pb2.PredictRequest())
        request.model_spec.signature_name = signature
        try:
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
        except ValueError as error:  # over 2 GB
            raise ServingError(f"{self._server}: cannot be sent: {one_line(error)}") from error
        response = self._call(self._predictions.Predict, request)
        if name not in response.outputs:
            names = ", ".join(sorted(response.outputs)) or "nothing"
            raise ServingError(f"{self._server}: expected an output {name}, received {names}")
        try:
            received = tf.make_ndarray(response.outputs[name])
        except (TypeError, ValueError) as error:
            raise ServingError(
                f"{self._server}: the output {name} cannot be read: {one_line(error)}"
            ) from error
        return received if isinstance(values, np.ndarray) else received.ravel().tolist()

    def close(self):
        self._channel.close()

    def _for_model(self, request):
        request.model_spec.name = self._model
        if self._version is not None:
            request.model_spec.version.value = self._version
        return request

    def _call(self, method, request):
        try:
            return method(request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise self._failed(error.code(), one_line(error.details())) from error

    def _failed(self, code, details):
        codes = grpc.StatusCode
        if code is codes.DEADLINE_EXCEEDED:
            return ServingError(f"{self._server}: no response within {self._timeout:g} s (timeout)")
        if code is codes.UNAVAILABLE:
            return Unavailable(f"{self._server}: not available: {details}")
        text = f"{self._server}: the server returned {code.name}: {details}"
        if code is codes.NOT_FOUND:
            return ModelMissing(text)
        if code is codes.RESOURCE_EXHAUSTED and _TOO_LONG in details:
            return ServingError(f"{text} (max_message_mb is the limit of this client)")
        return ServingError(text)


def _types(named):
    return {name: types_pb2.DataType.Name(info.dtype) for name, info in named.items()}
