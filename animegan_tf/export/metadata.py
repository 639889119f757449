"""TFLite metadata: what a model's tensors mean, as Android Studio and code generators read it.

The schema is TensorFlow Lite's public `metadata_schema.fbs` (identifier M001). No maintained Python
package writes it for today's protobuf, so the few tables needed are built here field by field; the
numbers are the schema's field numbers. Beside it goes an entry of our own, `animegan_tf`, JSON that
`read_own` returns.
"""

import json

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

STANDARD, OWN = "TFLITE_METADATA", "animegan_tf"
_IDENTIFIER = b"M001"
_IMAGE_PROPERTIES, _RGB, _NORMALIZATION = 2, 1, 1
_MIN_PARSER_VERSION = "1.0.0"


def add(model, *, name, description, version, author, license_text, size, own):
    """The TFLite file `model` (bytes) with both entries, as bytes.

    size: (height, width) of the pictures, or None for any. own: what `read_own` shall return.
    """
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    _take_in_buffers(tree, model)
    standard = _standard(name, description, version, author, license_text, size)
    for key, data in ((STANDARD, standard), (OWN, json.dumps(own).encode("utf-8"))):
        _set_entry(tree, key, data)
    return _packed(tree, len(model))


def add_own(model, own):
    """The TFLite file `model` (bytes) with what `read_own` shall return, and nothing else."""
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    _take_in_buffers(tree, model)
    _set_entry(tree, OWN, json.dumps(own).encode("utf-8"))
    return _packed(tree, len(model))


def with_first_size(model, height, width):
    """A TFLite file (bytes) whose pictures of any size have this one until they are resized.

    The converter leaves 1x1, at which these networks cannot be set up.
    """
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    (graph,) = tree.subgraphs
    for index in graph.inputs:
        graph.tensors[index].shape = np.array([1, height, width, 3], np.int32)
    return _packed(tree, len(model))


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


def _packed(tree, size):
    builder = flatbuffers.Builder(size + 2**16)
    builder.Finish(tree.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _take_in_buffers(tree, model):
    """Give `tree` the contents that stand behind it in the file, as quantisation leaves them."""
    for buffer in tree.buffers:
        if buffer.offset > 1:
            buffer.data = np.frombuffer(model, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0


def _set_entry(tree, key, data):
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    tree.buffers.append(buffer)
    made = schema.MetadataT()
    made.name, made.buffer = key, len(tree.buffers) - 1
    others = [old for old in tree.metadata or [] if old.name not in (key, key.encode())]
    tree.metadata = [*others, made]


# --- the standard entry --------------------------------------------------------------------------


class _Text(str):
    """Marks a value for `_table` that is to be written as a string."""


def _standard(name, description, version, author, license_text, size):
    builder = flatbuffers.Builder(1024)
    taken = _tensor(
        builder,
        "images",
        "The photo: RGB, float32 in [-1, 1], which is level / 127.5 - 1.",
        size,
    )
    given = _tensor(
        builder,
        "images",
        "The anime-style picture: RGB, float32 in [-1, 1]; (value + 1) * 127.5 is the level.",
        size,
    )
    graph = _table(
        builder,
        {0: _Text("stylize"), 2: _vector(builder, [taken]), 3: _vector(builder, [given])},
    )
    root = _table(
        builder,
        {
            0: _Text(name),
            1: _Text(description),
            2: _Text(version),
            3: _vector(builder, [graph]),
            4: _Text(author),
            5: _Text(license_text),
            7: _Text(_MIN_PARSER_VERSION),
        },
    )
    builder.Finish(root, file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def _tensor(builder, name, description, size):
    properties = {0: ("byte", _RGB)}
    if size is not None:
        properties[1] = _table(builder, {0: ("uint32", size[1]), 1: ("uint32", size[0])})
    content = _table(builder, {0: ("uint8", _IMAGE_PROPERTIES), 1: _table(builder, properties)})
    normalization = _table(builder, {0: _floats(builder, [127.5]), 1: _floats(builder, [127.5])})
    unit = _table(builder, {0: ("uint8", _NORMALIZATION), 1: normalization})
    stats = _table(builder, {0: _floats(builder, [1.0]), 1: _floats(builder, [-1.0])})
    return _table(
        builder,
        {
            0: _Text(name),
            1: _Text(description),
            3: content,
            4: _vector(builder, [unit]),
            5: stats,
        },
    )


def _table(builder, fields):
    """Write a table: field number to text, to a scalar as (kind, value), or to what is written."""
    texts = {key: builder.CreateString(v) for key, v in fields.items() if isinstance(v, _Text)}
    prepend = {
        "byte": builder.PrependInt8Slot,
        "uint8": builder.PrependUint8Slot,
        "uint32": builder.PrependUint32Slot,
    }
    builder.StartObject(max(fields) + 1)
    for key, value in fields.items():
        if isinstance(value, tuple):
            prepend[value[0]](key, value[1], 0)
        else:
            builder.PrependUOffsetTRelativeSlot(key, texts.get(key, value), 0)
    return builder.EndObject()


def _vector(builder, offsets):
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _floats(builder, values):
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return builder.EndVector()
