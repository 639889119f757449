"""A client for TensorFlow Serving: photos in folders through a server, over REST or gRPC.

`client` sends photos and writes results; `protocol` is what it expects of a connection, `rest` and
`grpc` are the two.
"""
