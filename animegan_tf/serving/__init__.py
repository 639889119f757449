"""A client for TensorFlow Serving that stylises photos and folders over REST or gRPC.

`client` sends photos and writes outputs; `protocol` defines a connection, which `rest` and `grpc`
implement.
"""
