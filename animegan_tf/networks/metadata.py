"""A TFLite file's entry of our own: what a network is, as JSON. No TensorFlow.

The standard entry beside it is `animegan_tf.export.metadata`.
"""

import json

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

OWN = "animegan_tf"


def add_own(model, own):
    """The TFLite file `model` (bytes) with what `read_own` shall return, and nothing else."""
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    take_in_buffers(tree, model)
    set_entry(tree, OWN, json.dumps(own).encode("utf-8"))
    return packed(tree, len(model))


def with_first_size(model, height, width):
    """A TFLite file (bytes) whose pictures of any size have this one until they are resized.

    The converter leaves 1x1, at which these networks cannot be set up.
    """
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    (graph,) = tree.subgraphs
    for index in graph.inputs:
        graph.tensors[index].shape = np.array([1, height, width, 3], np.int32)
    return packed(tree, len(model))


def read_own(model):
    """What `add` was given as `own`, or {} of a file (bytes) that has none."""
    data = entry(model, OWN)
    return json.loads(data) if data else {}


def entry(model, key):
    """The bytes of the metadata entry `key` of a TFLite file (bytes), or b""."""
    tree = schema.Model.GetRootAs(model, 0)
    for index in range(tree.MetadataLength()):
        found = tree.Metadata(index)
        if found.Name() == key.encode():
            return tree.Buffers(found.Buffer()).DataAsNumpy().tobytes()
    return b""


def packed(tree, size):
    """The file (bytes) of a tree of tables; `size` is about its length."""
    builder = flatbuffers.Builder(size + 2**16)
    builder.Finish(tree.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def take_in_buffers(tree, model):
    """Give `tree` the contents that stand behind it in the file, as quantisation leaves them."""
    for buffer in tree.buffers:
        if buffer.offset > 1:
            buffer.data = np.frombuffer(model, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0


def set_entry(tree, key, data):
    """Set the metadata entry `key` of a tree to `data`, bytes."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    tree.buffers.append(buffer)
    made = schema.MetadataT()
    made.name, made.buffer = key, len(tree.buffers) - 1
    others = [old for old in tree.metadata or [] if old.name not in (key, key.encode())]
    tree.metadata = [*others, made]
