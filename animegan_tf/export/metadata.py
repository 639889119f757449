"""Standard TFLite metadata: describes a model's tensors for Android Studio and code generators.

The schema is TensorFlow Lite's public `metadata_schema.fbs` (identifier M001). No maintained Python
package for it works with current protobuf, so the tables are built here; the numbers are the
schema's field numbers. `animegan_tf.networks.metadata` writes the project's own entry.
"""

import json

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from animegan_tf.networks import metadata as own_entry

STANDARD = "TFLITE_METADATA"
_IDENTIFIER = b"M001"
_IMAGE_PROPERTIES, _RGB, _NORMALIZATION = 2, 1, 1
_MIN_PARSER_VERSION = "1.0.0"


def add(model, *, name, description, version, author, license_text, size, own, io="float32"):
    """The TFLite file `model` (bytes) with both entries.

    size: (height, width) of the images, or None for any. own: a dict for the project's own entry.
    io: the type of the images, "float32", "uint8" or "int8".
    """
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    own_entry.take_in_buffers(tree, model)
    standard = _standard(name, description, version, author, license_text, size, io)
    for key, data in ((STANDARD, standard), (own_entry.OWN, json.dumps(own).encode("utf-8"))):
        own_entry.set_entry(tree, key, data)
    return own_entry.packed(tree, len(model))


# --- the standard entry --------------------------------------------------------------------------


class _Text(str):
    """Marks a value that `_table` writes as a string."""


# {type: (what its values are, smallest, largest)}
_VALUES = {
    "float32": ("float32 in [-1, 1], which is level / 127.5 - 1", -1.0, 1.0),
    "uint8": ("levels 0 to 255", 0.0, 255.0),
    "int8": ("levels minus 128", -128.0, 127.0),
}


def _standard(name, description, version, author, license_text, size, io):
    builder = flatbuffers.Builder(1024)
    input_ = _tensor(builder, "images", "The photo: RGB", size, io)
    output = _tensor(builder, "images", "The anime-style image: RGB", size, io)
    graph = _table(
        builder,
        {0: _Text("stylize"), 2: _vector(builder, [input_]), 3: _vector(builder, [output])},
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


def _tensor(builder, name, description, size, io):
    values, low, high = _VALUES[io]
    properties = {0: ("byte", _RGB)}
    if size is not None:
        properties[1] = _table(builder, {0: ("uint32", size[1]), 1: ("uint32", size[0])})
    content = _table(builder, {0: ("uint8", _IMAGE_PROPERTIES), 1: _table(builder, properties)})
    normalization = _table(builder, {0: _floats(builder, [127.5]), 1: _floats(builder, [127.5])})
    unit = _table(builder, {0: ("uint8", _NORMALIZATION), 1: normalization})
    stats = _table(builder, {0: _floats(builder, [high]), 1: _floats(builder, [low])})
    return _table(
        builder,
        {
            0: _Text(name),
            1: _Text(f"{description}, {values}."),
            3: content,
            4: _vector(builder, [unit]),
            5: stats,
        },
    )


def _table(builder, fields):
    """Write a table of {field number: text, scalar as (kind, value), or offset of an object}."""
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
