"""This project's metadata entry in TFLite files: the generator's properties as JSON. No TensorFlow.

`animegan_tf.export.metadata` writes the standard entry beside it.
"""

import json

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

OWN = "animegan_tf"


def add_own(model, own):
    """The TFLite file `model` (bytes) with `own`, which `read_own` returns, and nothing else."""
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    take_in_buffers(tree, model)
    set_entry(tree, OWN, json.dumps(own).encode("utf-8"))
    return packed(tree, len(model))


def with_first_size(model, height, width):
    """The TFLite file `model` (bytes), of any input size, with this initial input size.

    The converter sets 1x1, at which tensors cannot be allocated for these networks.
    """
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    (graph,) = tree.subgraphs
    for index in graph.inputs:
        graph.tensors[index].shape = np.array([1, height, width, 3], np.int32)
    return packed(tree, len(model))


def read_own(model):
    """The project's own entry of a TFLite file (bytes), or {} where there is none."""
    data = entry(model, OWN)
    return json.loads(data) if data else {}


def entry(model, key):
    """The bytes of the metadata entry `key` of a TFLite file (bytes), or b""."""
    tree = schema.Model.GetRootAs(model, 0)
    for index in range(tree.MetadataLength()):
        metadata = tree.Metadata(index)
        if metadata.Name() == key.encode():
            return tree.Buffers(metadata.Buffer()).DataAsNumpy().tobytes()
    return b""


def packed(tree, size):
    """Serialise a tree of tables to a TFLite file (bytes) of about `size` bytes."""
    builder = flatbuffers.Builder(size + 2**16)
    builder.Finish(tree.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def take_in_buffers(tree, model):
    """Copy into `tree` the buffers that quantised files store after the tables."""
    for buffer in tree.buffers:
        if buffer.offset > 1:
            buffer.data = np.frombuffer(model, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0


def set_entry(tree, key, data):
    """Set the metadata entry `key` of a tree to `data` (bytes)."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    tree.buffers.append(buffer)
    metadata = schema.MetadataT()
    metadata.name, metadata.buffer = key, len(tree.buffers) - 1
    others = [old for old in tree.metadata or [] if old.name not in (key, key.encode())]
    tree.metadata = [*others, metadata]
